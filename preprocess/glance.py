"""A quick look through a recording: the numbers that grading needs, and no picture kept.

Every frame is decoded, once. Small grey copies tell about light and background; a face is looked
for in frames spread over the clip and in every frame of one stretch, which shows the mouth at the
rate at which it moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from nerf_talker.errors import InputError
from nerf_talker.geometry import mesh
from nerf_talker.preprocess.cuts import THUMBNAIL, CutFinder
from nerf_talker.preprocess.framing import FaceSearch
from nerf_talker.preprocess.media import VideoInfo, probe, thumbnail, timed_frames, upright
from nerf_talker.preprocess.models import PERSON_MODEL, FaceLandmarker, PersonModel
from nerf_talker.types import BoolArray, ByteArray, FloatArray
from nerf_talker.weights import locate

# Frames that are searched for faces all over the clip.
SPREAD = 120
# Seconds of the stretch, and the frame rate that is enough there.
STRETCH_SECONDS, STRETCH_FPS = 20.0, 25.0
THUMB = 96  # pixels of the longer side of the grey copies
MOST_THUMBS = 3000
# Every so many of the frames that are searched tell where the person is.
PERSON_EVERY = 5
PERSON_MARGIN = 2  # pixels of the grey copies kept away from the person's edge
# Sharpness is measured on faces of this height: a larger picture is not sharper for its size.
FACE_PIXELS = 192


@dataclass(frozen=True)
class Face:
    """What one look at a face tells.

    Attributes:
        box: left, top, right, bottom in pixels of the picture.
        yaw: Degrees that the head is turned about the vertical.
        pitch: Degrees that it is bent.
        gap: Distance of the inner lips over that of the outer eye corners.
        mouth_width: Distance of the mouth's corners over that of the outer eye corners.
        sharpness: See :func:`sharpness`.
        brightness: Mean grey level of the face, 0 to 255.
    """

    box: tuple[float, float, float, float]
    yaw: float
    pitch: float
    gap: float
    mouth_width: float
    sharpness: float
    brightness: float

    @property
    def height(self) -> float:
        """From forehead to chin in pixels."""
        return self.box[3] - self.box[1]


@dataclass(frozen=True)
class Look:
    """One frame that was searched: its time in seconds, the faces in it, the largest of them."""

    time: float
    faces: int
    face: Face | None


@dataclass(frozen=True)
class Glance:
    """What was seen of a recording.

    Attributes:
        info: What the container declares.
        times: (N,) seconds of all frames that could be decoded, from 0.
        width: Of the upright picture.
        height: Of the upright picture.
        spread: Looks all over the clip.
        stretch: Looks at neighbouring frames.
        thumbs: (T, h, w) uint8 grey copies of frames at an even pace.
        background: (h, w) bool, where no person was ever seen; None without the person model.
        cuts: Seconds, from 0, at which another scene begins.
    """

    info: VideoInfo
    times: npt.NDArray[np.float64]
    width: int
    height: int
    spread: list[Look]
    stretch: list[Look]
    thumbs: ByteArray
    background: BoolArray | None
    cuts: tuple[float, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of what can be decoded."""
        return float(self.times[-1] - self.times[0]) if len(self.times) > 1 else 0.0

    @property
    def faces(self) -> list[Face]:
        """All that was seen of the largest face."""
        return [look.face for look in (*self.spread, *self.stretch) if look.face is not None]


def glance(clip: Path, models: Path | None = None, show: bool = False) -> Glance:
    """Look through a clip.

    Args:
        clip: The recording.
        models: Folder that is looked in first for model files.
        show: Whether a progress bar is drawn.

    Raises:
        InputError: The file is no readable video.
        WeightsError: The face landmarker's model is missing.
    """
    info = probe(clip)
    rate = info.fps or STRETCH_FPS
    expected = max(info.frames or round(info.seconds * rate), 1)
    spread = set(np.linspace(0, expected - 1, SPREAD).astype(int).tolist())
    stretch = _stretch(expected, rate)
    every = -(-expected // MOST_THUMBS)
    times: list[float] = []
    thumbs: list[ByteArray] = []
    looks: tuple[list[Look], list[Look]] = ([], [])
    people: list[ByteArray] = []
    finder = CutFinder(rate)
    width = height = 0
    frames = tqdm(_readable(clip), "looking", expected, disable=not show, leave=False)
    with FaceLandmarker(faces=2, models=models) as landmarker, _person_model(models) as person:
        search = FaceSearch(landmarker)
        for index, (now, frame) in enumerate(frames):
            times.append(now - times[0] if times else now)
            finder.look(thumbnail(frame, THUMBNAIL))
            if index % every == 0:
                thumbs.append(_thumb(frame.frame))
            wanted = index in spread, index in stretch
            if not any(wanted):
                continue
            picture = upright(frame)
            height, width = picture.shape[:2]
            # Everybody is looked for in the spread alone; the whole search takes time.
            found = [] if wanted[0] else [face.landmarks for face in landmarker.read(picture)]
            look = _look(found or search.find(picture), picture, now)
            for kept, take in zip(looks, wanted, strict=True):
                kept.extend([look] if take else [])
            if wanted[0] and person is not None and len(looks[0]) % PERSON_EVERY == 1:
                people.append(_person(person, picture, thumbs[0].shape))
    if not times:
        raise InputError(f"{clip}: no frame of its video can be decoded; export it again")
    times[0] = 0.0
    shown = np.stack(thumbs)
    empty = None if person is None else ~np.any(people, 0)
    cuts = tuple(times[cut.frame] for cut in finder.cuts() if not cut.is_splice)
    return Glance(info, np.array(times), width, height, *looks, shown, empty, cuts)


def _person_model(models: Path | None) -> AbstractContextManager[PersonModel | None]:
    there = locate(PERSON_MODEL, models) is not None
    return PersonModel(models) if there else nullcontext()


def _person(model: PersonModel, picture: ByteArray, shape: tuple[int, ...]) -> ByteArray:
    """(h, w) where the person is, and a little about it, at the size of the grey copies."""
    import cv2

    mask = (model.read(picture) > 0.2).astype(np.float32)
    small = cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_AREA) > 0
    side = 2 * PERSON_MARGIN + 1
    return np.asarray(cv2.dilate(small.astype(np.uint8), np.ones((side, side), np.uint8)))


def _readable(clip: Path) -> Iterator[tuple[float, Any]]:
    """Frames up to the first that cannot be decoded; how long that is, is graded."""
    try:
        yield from timed_frames(clip)
    except InputError:
        return


def _stretch(expected: int, rate: float) -> range:
    """Frames from the middle of the clip."""
    step = max(int(rate / STRETCH_FPS), 1)
    count = min(round(STRETCH_SECONDS * rate), expected)
    first = (expected - count) // 2
    return range(first, first + count, step)


def _thumb(frame: Any) -> ByteArray:
    scale = THUMB / max(frame.width, frame.height)
    size = (max(round(frame.width * scale), 1), max(round(frame.height * scale), 1))
    small = frame.reformat(*size, format="gray", interpolation="AREA").to_ndarray()
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.rot90(small, turns)


def _look(found: list[FloatArray], picture: ByteArray, now: float) -> Look:
    largest = max(found, key=lambda points: np.ptp(points[:, 1]), default=None)
    return Look(now, len(found), None if largest is None else _face(picture, largest))


def _face(picture: ByteArray, points: FloatArray) -> Face:
    left, top = points[:, :2].min(0)
    right, bottom = points[:, :2].max(0)
    inside = picture[max(int(top), 0) : int(bottom) + 1, max(int(left), 0) : int(right) + 1]
    across = points[mesh.EAR_SIDES[1]] - points[mesh.EAR_SIDES[0]]
    down = points[mesh.CHIN] - points[mesh.FOREHEAD_TOP]
    eyes = points[mesh.EYE_CORNERS[1], :2] - points[mesh.EYE_CORNERS[0], :2]
    mouth = points[mesh.LIPS[10], :2] - points[mesh.LIPS[0], :2]
    return Face(
        (float(left), float(top), float(right), float(bottom)),
        float(np.degrees(np.arctan2(across[2], across[0]))),
        float(np.degrees(np.arctan2(down[2], down[1]))),
        float(mesh.lip_gap(points)),
        float(np.linalg.norm(mouth) / np.linalg.norm(eyes)),
        sharpness(inside),
        float(inside.mean()),
    )


def sharpness(face: ByteArray) -> float:
    """How much of a face's contrast is fine detail, in per cent.

    The deviation of what a blur by one pixel removes, over the deviation of the whole, on the face
    at :data:`FACE_PIXELS` of height. A ratio, so that neither light nor skin matters.

    Args:
        face: (H, W, 3) uint8.
    """
    import cv2

    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    size = (max(round(width * FACE_PIXELS / height), 1), FACE_PIXELS)
    how = cv2.INTER_AREA if height > FACE_PIXELS else cv2.INTER_CUBIC
    scaled = cv2.resize(grey, size, interpolation=how).astype(np.float32)
    fine = scaled - cv2.GaussianBlur(scaled, (0, 0), 1.0)
    return float(100 * fine.std() / max(float(scaled.std()), 1.0))
