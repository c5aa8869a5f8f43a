"""Choosing the one square of the source picture that becomes the dataset."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.data.manifest import CropTransform
from nerf_talker.preprocess.faces import face_box, overlap
from nerf_talker.preprocess.models import FaceLandmarker
from nerf_talker.types import ByteArray, FloatArray

# Side of the crop in face heights (forehead to chin): room for hair and shoulders.
SIDE_IN_FACES = 2.1
# Where the face's centre sits, as a fraction of the crop from the top: shoulders need more room.
FACE_HEIGHT_IN_CROP = 0.55
# A square picture this close to the wanted crop is a portrait already and is kept whole.
PORTRAIT = 0.8
# Part of a face height left free beside the outermost positions of a moving face.
MARGIN_IN_FACES = 0.45
_LEAST_SEARCHED = 64
# Boxes that overlap more than this are of one face.
_SAME = 0.3

Window = tuple[int, int, int, int]
# Sides of the squares in which small faces are looked for, in smaller sides of the picture.
_SEARCH_SIDES = (0.6, 0.3, 0.15)
# The whole search is costly; where it found nothing so often, there is nobody.
_SEARCHES = 5
# Side of the window around the faces found last, in their common height.
_WINDOW = 4.0


class FaceSearch:
    """Finds the faces of pictures of one size, small ones too.

    The detector sees a picture of any size at 128 x 128, so that a head that fills little of it
    is lost. It is then looked for in overlapping squares, and next time near where it was found.
    """

    def __init__(self, landmarker: FaceLandmarker) -> None:
        """Search with a landmarker that reports as many faces as are wanted."""
        self._landmarker = landmarker
        self._window: Window | None = None
        self._failed = 0

    def find(self, picture: ByteArray) -> list[FloatArray]:
        """(478, 3) landmarks of each face in pixels of the picture."""
        height, width = picture.shape[:2]
        found = self._read_all(picture, _overview(width, height))
        if not found and self._window is not None:
            found = self._read_all(picture, [self._window])
        elif not found and self._failed < _SEARCHES:
            found = self._search(picture)
            self._failed += not found
        else:
            return found
        if found:
            self._window = _window_about(found, width, height)
        return found

    def _read_all(self, picture: ByteArray, windows: list[Window]) -> list[FloatArray]:
        """The faces in all windows, each once."""
        found: list[FloatArray] = []
        for left, top, right, bottom in windows:
            shift = np.array([left, top, 0], np.float32)
            for face in self._landmarker.read(picture[top:bottom, left:right]):
                marks = face.landmarks + shift
                box = face_box(marks)
                if all(overlap(box, face_box(other)) < _SAME for other in found):
                    found.append(marks)
        return found

    def _search(self, picture: ByteArray) -> list[FloatArray]:
        height, width = picture.shape[:2]
        for share in _SEARCH_SIDES:
            side = round(share * min(height, width))
            if side < _LEAST_SEARCHED:
                break
            found = self._read_all(picture, _squares(width, height, side))
            if found:
                return found
        return []


def _overview(width: int, height: int) -> list[Window]:
    """The whole picture and, where it is wide or tall, squares as large as it allows."""
    whole = [(0, 0, width, height)]
    side = min(width, height)
    return whole + (_squares(width, height, side) if max(width, height) > 1.25 * side else [])


def _squares(width: int, height: int, side: int) -> list[Window]:
    """Squares that cover the picture and overlap by a good third."""
    tops, lefts = _steps(height, side), _steps(width, side)
    return [(left, top, left + side, top + side) for top in tops for left in lefts]


def _steps(length: int, side: int) -> list[int]:
    """Where the squares start along one side."""
    count = int(np.ceil((length - side) / (0.6 * side))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _window_about(faces: list[FloatArray], width: int, height: int) -> tuple[int, int, int, int]:
    boxes = np.array([face_box(face) for face in faces])
    low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    side = _WINDOW * float((boxes[:, 3] - boxes[:, 1]).max()) + float((high - low).max())
    centre = (low + high) / 2
    left, top = np.clip(centre - side / 2, 0, None).astype(int)
    right, bottom = np.clip(centre + side / 2, None, [width, height]).astype(int)
    return int(left), int(top), int(right), int(bottom)


def choose_crop(boxes: npt.ArrayLike, width: int, height: int) -> CropTransform:
    """A square that holds the face in all its positions.

    Args:
        boxes: (K, 4) left, top, right, bottom of the face in K frames, source pixels.
        width: Width of the source picture.
        height: Height of the source picture.
    """
    left, top, right, bottom = np.asarray(boxes, np.float64).T
    face = float(np.median(bottom - top))
    middle_x = (np.percentile(left, 2) + np.percentile(right, 98)) / 2
    middle_y = float(np.median(top + bottom)) / 2
    reach = max(
        np.percentile(right, 98) - np.percentile(left, 2),
        np.percentile(bottom, 98) - np.percentile(top, 2),
    )
    side = max(SIDE_IN_FACES * face, reach + 2 * MARGIN_IN_FACES * face)
    largest = min(width, height)
    if width == height and side >= PORTRAIT * width:
        side = width
    side = 2 * (round(min(side, largest)) // 2)
    x = round(np.clip(middle_x - side / 2, 0, width - side))
    y = round(np.clip(middle_y - FACE_HEIGHT_IN_CROP * side, 0, height - side))
    return CropTransform(left=x, top=y, side=side, source_width=width, source_height=height)
