"""From model probabilities and the face outline to the head matte.

Everything is computed in a square working picture of S pixels. Coordinates of the upright head:
``across`` is the distance from the head's axis in half face widths, ``down`` is 0 at the eyes and
1 at the chin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.rotation import Array
from nerf_talker.types import BoolArray, ByteArray, FloatArray

# The oval of the landmarks ends in front of the ears; this much wider it holds their lobes.
EAR_WIDENING = 1.24
# Down to the base of the nose, a person beside the face is an ear, however far it is turned to us.
EAR_REACH, EAR_MIDDLE = 1.8, 0.5
# Ears lie between the brows and the mouth.
EAR_TOP, EAR_BOTTOM = -0.25, 0.64
# Inside this much of the oval the person model is not asked.
FACE_CORE = 0.88
# The person model's edge lies outside the person's; its upper part is the truth.
PERSON_EDGE = (0.55, 0.9)
HAIR_EDGE = (0.2, 0.8)
# Width in working pixels of the zone around the head that may be soft.
_SOFT_EDGE = 25
# Hair this far below the chin, in eye-to-chin heights, hangs on the shoulders: torso.
HAIR_END = 0.15
# Without the hair model: how far hair reaches from the head's axis, and how far down.
GUESS_REACH, JAW, BESIDE_NECK = 1.8, 0.7, 0.2
# Guided filter that moves the matte's edge to the picture's: radius in working pixels, grey levels
# squared below which a difference is no edge, and how much the softness it adds is taken back.
# On the drawn sample the matte's error falls by 29 %; on a person with large hair the steepest
# place of the picture moves from one pixel inside the matte's edge onto it.
EDGE_RADIUS, EDGE_LEVEL, EDGE_STEEPENING = 6, 100.0, 1.5
# Nothing of the head reaches farther from its axis, in half face widths.
HEAD_REACH = 2.2


@dataclass(frozen=True)
class HeadFrame:
    """Coordinates of an upright head in one picture: pixel = origin + a * across + d * down."""

    origin: Array
    across: Array
    down: Array

    @classmethod
    def of(cls, landmarks: FloatArray) -> HeadFrame:
        """The head frame of (478, 2 or more) landmarks in pixels."""
        points = landmarks[:, :2].astype(np.float64)
        first, second = mesh.EAR_SIDES
        axis = points[list(mesh.EYE_CORNERS)]
        eyes = axis.mean(0)
        turn = axis[1] - axis[0]
        turn /= np.linalg.norm(turn)
        half = abs((points[second] - points[first]) @ turn) / 2
        middle = (points[first] + points[second]) / 2
        origin = eyes + turn * ((middle - eyes) @ turn)
        normal = np.array([-turn[1], turn[0]])
        height = (points[mesh.CHIN] - eyes) @ normal
        return cls(origin, turn * half, normal * max(height, 1.0))

    def coordinates(self, size: int) -> tuple[Array, Array]:
        """(S, S) ``across`` and ``down`` of the pixel centres."""
        matrix = np.linalg.inv(np.stack([self.across, self.down], 1))
        steps = np.arange(size) + 0.5
        x, y = steps[None] - self.origin[0], steps[:, None] - self.origin[1]
        across = matrix[0, 0] * x + matrix[0, 1] * y
        down = matrix[1, 0] * x + matrix[1, 1] * y
        return np.asarray(across, np.float32), np.asarray(down, np.float32)


def outline(landmarks: FloatArray, size: int, widen: float = 1.0) -> FloatArray:
    """(S, S) antialiased face oval, optionally wider about the head's axis."""
    import cv2

    points = landmarks[list(mesh.FACE_OVAL), :2].astype(np.float64)
    if widen != 1.0:
        frame = HeadFrame.of(landmarks)
        turn = frame.across / np.linalg.norm(frame.across)
        offset = (points - frame.origin) @ turn
        points = points + np.outer(offset * (widen - 1.0), turn)
    canvas = np.zeros((size, size), np.uint8)
    fixed = np.round((points - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], 255, cv2.LINE_AA, 4)
    return np.asarray(canvas, np.float32) / np.float32(255)


def step_up(values: FloatArray, start: float, end: float) -> FloatArray:
    """0 up to ``start``, 1 from ``end`` on, linear between; ``start > end`` turns it round."""
    return np.asarray(np.clip((values - start) / (end - start), 0, 1), np.float32)


def head_matte(hair: FloatArray, person: FloatArray, landmarks: FloatArray) -> FloatArray:
    """(S, S) soft head in [0, 1]: face oval, hair, forehead and ears.

    Args:
        hair: (S, S) probability.
        person: (S, S) probability.
        landmarks: (478, 2 or more) pixels of the S x S picture.
    """
    size = hair.shape[0]
    across, down = HeadFrame.of(landmarks).coordinates(size)
    across = np.abs(across)
    solid = step_up(person, *PERSON_EDGE)
    # On a turned face the oval runs a little outside the cheek; the person's edge is better there.
    face = np.maximum(outline(landmarks, size, FACE_CORE), outline(landmarks, size) * solid)
    near = step_up(across, HEAD_REACH, HEAD_REACH - 0.2)
    strands = step_up(hair, *HAIR_EDGE) * near * step_up(down, 1 + HAIR_END, 1.0)
    strands *= np.maximum(solid, step_up(hair, 0.5, 0.9))
    # The models leave a gap between brow and hairline; above the eyes every person pixel is head.
    above = solid * step_up(down, 0.0, -0.08) * step_up(across, 1.6, 1.5)
    wide = outline(landmarks, size, EAR_WIDENING)
    beside = step_up(across, EAR_REACH, EAR_REACH - 0.1)
    beside *= step_up(down, EAR_MIDDLE, EAR_MIDDLE - 0.1)
    ears = np.maximum(wide, beside) * solid * _ear_rows(down)
    return _without_holes(np.maximum.reduce([face, strands, above, ears]))


def fit_edge(matte: FloatArray, picture: ByteArray, background: BoolArray) -> FloatArray:
    """The matte with its edge against the background moved to the nearest edge of the picture.

    Guided image filter (He, Sun and Tang 2013), computed around the edge alone. The jaw's edge
    stays where it is: the picture's edge there is that of a shadow.

    Args:
        matte: (S, S) in [0, 1].
        picture: (S, S, 3).
        background: (S, S), what is surely background.
    """
    import cv2

    soft = (matte > 0.01) & (matte < 0.99)
    if not soft.any():
        return matte
    rows, columns = np.flatnonzero(soft.any(1)), np.flatnonzero(soft.any(0))
    reach = 2 * EDGE_RADIUS
    part = (
        slice(max(rows[0] - reach, 0), rows[-1] + reach + 1),
        slice(max(columns[0] - reach, 0), columns[-1] + reach + 1),
    )
    guide = np.ascontiguousarray(picture[part])
    fitted = cv2.ximgproc.guidedFilter(guide, matte[part], EDGE_RADIUS, EDGE_LEVEL)
    result = matte.copy()
    fitted = np.clip((fitted - 0.5) * EDGE_STEEPENING + 0.5, 0, 1)
    kernel = np.ones((reach + 1, reach + 1), np.uint8)
    near = cv2.dilate(background[part].astype(np.uint8), kernel) > 0
    result[part] = np.where(near, fitted, matte[part])
    return result


def _ear_rows(down: FloatArray) -> FloatArray:
    """1 where ears may be, 0 above and below."""
    return step_up(down, EAR_TOP - 0.05, EAR_TOP) * step_up(down, EAR_BOTTOM, EAR_BOTTOM - 0.1)


def hair_from_person(person: FloatArray, landmarks: FloatArray) -> FloatArray:
    """(S, S) stand-in for the hair model: the person around the face, down to the jaw.

    Right for short hair and for hair that ends above the shoulders; longer hair is cut off at the
    jaw and becomes torso below it. What does not hang together with the head is dropped later.

    Args:
        person: (S, S) probability.
        landmarks: (478, 2 or more) pixels of the S x S picture.
    """
    size = person.shape[0]
    across, down = HeadFrame.of(landmarks).coordinates(size)
    across = np.abs(across)
    face, wide = outline(landmarks, size), outline(landmarks, size, EAR_WIDENING)
    # The neck begins close to the jaw; hair beside it may reach a little lower.
    end = down - BESIDE_NECK * (1 - wide)
    around = step_up(across, GUESS_REACH, GUESS_REACH - 0.2) * step_up(end, JAW, JAW - 0.1)
    return np.asarray(person * around * (1 - np.maximum(face, wide * _ear_rows(down))), np.float32)


def parts_of(mask: BoolArray) -> tuple[tuple[slice, slice], Array, Array]:
    """Connected parts of a mask: the part of the picture they lie in, their numbers, their sizes.

    Args:
        mask: (S, S).

    Returns:
        Rows and columns that hold all of the mask; (rows, columns) numbers of the parts there, from
        1, 0 outside; (N + 1,) pixels of each.
    """
    import cv2

    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.int32), np.zeros(1, np.int32)
    where = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inside = mask[where].astype(np.uint8)
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    return where, numbers, stats[:, cv2.CC_STAT_AREA]


def largest_part(mask: BoolArray) -> BoolArray:
    """The largest connected part of (S, S) ``mask``."""
    where, numbers, sizes = parts_of(mask)
    kept = np.zeros_like(mask)
    if len(sizes) > 1:
        kept[where] = numbers == 1 + int(np.argmax(sizes[1:]))
    return kept


def _without_holes(matte: FloatArray) -> FloatArray:
    """One connected head: enclosed holes filled, loose islands dropped."""
    import cv2

    parts = matte > 0.5
    solid = largest_part(parts).astype(np.uint8)
    if parts.any():
        # The soft edge of the head stays, the soft edge of an island goes with it.
        reach = cv2.dilate(solid, np.ones((_SOFT_EDGE, _SOFT_EDGE), np.uint8))
        matte = np.where(reach > 0, matte, 0)
    contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(solid)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return np.where((filled > 0) & (solid == 0), 1, matte).astype(np.float32)
