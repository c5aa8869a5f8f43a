"""Who is who: faces followed through a clip by place, motion and appearance.

Boxes are (left, top, right, bottom) in pixels of the picture. A *look* is a small colour patch of
the face, turned upright by eyes and mouth: it tells people apart where places cannot, when two of
them cross or one comes back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nerf_talker.errors import InputError
from nerf_talker.geometry.headshape import similarity
from nerf_talker.types import ByteArray, FloatArray

Values = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]

_WISH = r"largest|left|right|\d+(\.\d+)?,\d+(\.\d+)?"

_PATCH = 16
# Outer eye corners and mouth corners in the patch.
_ANCHORS = (33, 263, 61, 291)
_PLACES = np.array([[4.0, 5.0], [12.0, 5.0], [5.5, 12.0], [10.5, 12.0]])
# Mean absolute difference of two looks, of 1: one person in motion stays below.
_SAME_PERSON = 0.07
# Face heights that a face may move between two frames beyond its expected place.
_STRIDE = 0.35
# After this many frames unseen the old place says little.
_FORGOTTEN = 25
# Weight of a new look in a track's mean look.
_LEARNING = 0.1


@dataclass(frozen=True)
class SeenFace:
    """One face in one picture: its box and its look, (768,) in [0, 1]."""

    box: Box
    look: FloatArray


@dataclass
class Track:
    """One person: in which frames, where, and what they look like."""

    frames: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    look: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    velocity: Values = field(default_factory=lambda: np.zeros(2))

    def add(self, frame: int, face: SeenFace) -> None:
        """Append a sighting."""
        if self.frames:
            gap = frame - self.frames[-1]
            step = (_centre(face.box) - _centre(self.boxes[-1])) / gap
            self.velocity = 0.5 * self.velocity + 0.5 * step if gap < 5 else np.zeros(2)
            self.look = (1 - _LEARNING) * self.look + _LEARNING * face.look
        else:
            self.look = face.look
        self.frames.append(frame)
        self.boxes.append(face.box)

    @property
    def weight(self) -> float:
        """Sum over its frames of the face's height: large and often seen is heavy."""
        return float(sum(box[3] - box[1] for box in self.boxes))


def look_of(picture: ByteArray, landmarks: FloatArray) -> FloatArray:
    """The look of a face with (478, 2 or 3) landmarks in a picture."""
    import cv2

    scale, turn, shift = similarity(landmarks[list(_ANCHORS), :2].astype(np.float64), _PLACES)
    box = face_box(landmarks)
    # Blurred first, so that the few samples stand for the skin around them.
    wide = max(round(1 / max(scale, 1e-6)), 1)
    low = np.maximum(np.array(box[:2]) - wide, 0).astype(int)
    part = picture[low[1] : int(box[3]) + wide, low[0] : int(box[2]) + wide]
    if not part.size:
        return np.zeros(_PATCH * _PATCH * 3, np.float32)
    matrix = np.concatenate([scale * turn, (shift + scale * turn @ low)[:, None]], 1)
    size, edge = (_PATCH, _PATCH), cv2.BORDER_REPLICATE
    patch = cv2.warpAffine(cv2.blur(part, (wide, wide)), matrix, size, borderMode=edge)
    return (patch / np.float32(255)).reshape(-1)


def face_box(landmarks: FloatArray) -> Box:
    """(left, top, right, bottom) of (478, 2 or 3) landmarks."""
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    a, b = np.asarray(first), np.asarray(second)
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared
    return float(shared / union) if union > 0 else 0.0


class FaceTracks:
    """Collects the faces of a clip frame by frame and sorts them by person."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._tracks: list[Track] = []

    def add(self, frame: int, faces: list[SeenFace]) -> None:
        """Take all faces of a frame; frames come in increasing order."""
        from scipy.optimize import linear_sum_assignment

        costs = np.array([[_cost(t, frame, f) for f in faces] for t in self._tracks])
        taken: set[int] = set()
        if costs.size:
            for row, column in zip(*linear_sum_assignment(costs), strict=True):
                if costs[row, column] < 1:
                    self._tracks[row].add(frame, faces[column])
                    taken.add(int(column))
        for column, face in enumerate(faces):
            if column not in taken:
                track = Track()
                track.add(frame, face)
                self._tracks.append(track)

    def people(self) -> list[Track]:
        """The people of the clip, heaviest first; passers-by are left out.

        Pieces that look alike and never show together are one person. Someone seen in fewer than
        a tenth of the frames of the heaviest does not count.
        """
        people: list[Track] = []
        for track in sorted(self._tracks, key=lambda t: -t.weight):
            for person in people:
                apart = not set(person.frames) & set(track.frames)
                if apart and _unlike(person.look, track.look) < 1:
                    _join(person, track)
                    break
            else:
                people.append(track)
        people.sort(key=lambda t: -t.weight)
        most = len(people[0].frames) if people else 0
        return [person for person in people if len(person.frames) >= 0.1 * most]


def choose(people: list[Track], wish: str) -> Track:
    """The person a user wishes for.

    Args:
        people: At least one, heaviest first.
        wish: ``largest`` (the heaviest), ``left``, ``right`` (by their mean place), or ``x,y``: a
            point on the face in the clip's first frames, in pixels of the upright picture.

    Raises:
        InputError: No face is near the point.
    """
    if wish == "largest":
        return people[0]
    if wish in ("left", "right"):
        ordered = sorted(people, key=lambda t: float(np.mean([_centre(b)[0] for b in t.boxes])))
        return ordered[0] if wish == "left" else ordered[-1]
    point = np.array([float(value) for value in wish.split(",")])
    nearest = min(people, key=lambda person: _distance(point, person.boxes[0]))
    box = nearest.boxes[0]
    if _distance(point, box) > box[3] - box[1]:
        x, y = _centre(box)
        raise InputError(
            f"--face {wish}: no face there; the nearest is at {x:.0f},{y:.0f} of the clip's picture"
        )
    return nearest


def is_wish(text: str) -> bool:
    """Whether :func:`choose` knows this wish."""
    return re.fullmatch(_WISH, text) is not None


def _cost(track: Track, frame: int, face: SeenFace) -> float:
    """0 for a sure match; from 1 on the face is somebody else."""
    gap = frame - track.frames[-1]
    tall = track.boxes[-1][3] - track.boxes[-1][1]
    expected = _centre(track.boxes[-1]) + track.velocity * min(gap, 5)
    stride = _STRIDE * tall * (1 + 0.2 * gap)
    away = float(np.hypot(*(_centre(face.box) - expected))) / stride
    unlike = _unlike(track.look, face.look)
    if gap > _FORGOTTEN:
        return unlike
    return 0.5 * away**2 + 0.4 * unlike if away < 1 else away + unlike


def _unlike(first: FloatArray, second: FloatArray) -> float:
    """How unlike two looks are; below 1 they may be one person."""
    return float(np.abs(first - second).mean()) / _SAME_PERSON


def _join(person: Track, track: Track) -> None:
    order = np.argsort([*person.frames, *track.frames])
    frames, boxes = [*person.frames, *track.frames], [*person.boxes, *track.boxes]
    person.frames = [frames[k] for k in order]
    person.boxes = [boxes[k] for k in order]


def _centre(box: Box) -> Values:
    return np.array([box[0] + box[2], box[1] + box[3]]) / 2


def _distance(point: Values, box: Box) -> float:
    """From a point to a box's edge; 0 inside."""
    beyond = np.maximum(np.maximum(np.array(box[:2]) - point, point - np.array(box[2:])), 0)
    return float(np.hypot(*beyond))
