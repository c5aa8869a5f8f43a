"""Landmarks over time: gaps, jumps, and jitter taken out without making anything late.

All filters look as far ahead as back (zero phase), so the lips keep their time. Nothing is
smoothed across a splice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nerf_talker.geometry import mesh
from nerf_talker.geometry.headshape import similarity
from nerf_talker.types import BoolArray, FloatArray

Values = npt.NDArray[np.float64]

# (window in frames, order) of the Savitzky-Golay filters: for the head as a whole and the skin on
# bone, and for blendshapes.
SLOW = (9, 3)
QUICK = (5, 3)
# Lips, lids and irises close and open within three frames: under the head's motion they are left
# as they are. From there on the filter takes over within this distance, in eye distances.
_TRANSITION = 0.15
_QUICK_POINTS = (*mesh.LIPS, *mesh.RIGHT_EYE, *mesh.LEFT_EYE, *range(468, mesh.POINTS))
# A head that moves so far within one frame, in face heights, and so much farther than in the
# frames around, was cut.
_JUMP = 0.045
_ABOVE_MOTION = 4.0
# Frames treated together; bounds the memory of long clips.
_BLOCK = 1500


def steady(landmarks: FloatArray, splices: Sequence[int] = ()) -> None:
    """Take jitter out of landmarks, in place: a long clip's are large.

    The head's motion in the picture (a similarity, fitted to the points on bone) and the face's
    shape under it are treated apart, so that the lips keep their speed while the noise that moves
    the whole face goes.

    Args:
        landmarks: (F, 478, 3) float32 pixels, finite.
        splices: Frames before which time was cut out.
    """
    if len(landmarks) < SLOW[0]:
        return
    typical = _typical_shape(landmarks)
    weight = _slow_share(typical)[:, None]
    for first, last in stretches(len(landmarks), splices):
        if last - first < SLOW[0]:
            continue
        before = landmarks[first:first].copy()
        for begin in range(first, last, _BLOCK):
            end = min(begin + _BLOCK, last)
            part = np.concatenate([before, landmarks[begin : min(end + SLOW[0], last)]])
            skip, before = len(before), landmarks[max(end - SLOW[0], begin) : end].copy()
            calm = _steadied_part(part, typical, weight)
            landmarks[begin:end] = calm[skip : skip + end - begin]


def smoothed(values: FloatArray, splices: Sequence[int] = ()) -> FloatArray:
    """(F, ...) values after the quick filter."""
    from scipy.signal import savgol_filter

    result = np.array(values, np.float32)
    for first, last in stretches(len(values), splices):
        if last - first >= QUICK[0]:
            result[first:last] = savgol_filter(values[first:last], *QUICK, axis=0)
    return result


def stretches(frames: int, splices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last + 1 frame of each stretch between splices."""
    edges = [0, *sorted({place for place in splices if 0 < place < frames}), frames]
    yield from pairwise(edges)


def jumps(landmarks: FloatArray, valid: BoolArray) -> list[int]:
    """Frames before which the head jumps as no head moves: places where time was cut out."""
    centres = np.asarray(landmarks[:, list(mesh.RIGID), :2], np.float64).mean(1)
    height = np.ptp(landmarks[..., 1], axis=1)
    step = np.linalg.norm(np.diff(centres, axis=0), axis=1) / np.maximum(height[1:], 1e-6)
    step[~(valid[1:] & valid[:-1])] = 0
    found = []
    for index in np.flatnonzero(step > _JUMP):
        around = np.concatenate([step[max(index - 6, 0) : index], step[index + 1 : index + 7]])
        if step[index] > _ABOVE_MOTION * max(around, default=0.0):
            found.append(int(index) + 1)
    return found


def nose_jitter(landmarks: FloatArray, splices: Sequence[int] = ()) -> float:
    """RMS second difference in time of the nose bridge in pixels, splices left out."""
    bend = np.diff(landmarks[:, mesh.NOSE_BRIDGE, :2], 2, axis=0)
    kept = np.ones(len(bend), bool)
    for place in splices:
        kept[max(place - 2, 0) : place] = False
    return float(np.sqrt((bend[kept] ** 2).sum(-1).mean())) if kept.any() else 0.0


def short_gaps(valid: BoolArray, longest: int, splices: Sequence[int] = ()) -> BoolArray:
    """(F,) True where a face is missing for at most ``longest`` frames between two found ones.

    What was there is not known where time was cut out within the gap, or right beside it.
    """
    short = np.zeros(len(valid), bool)
    for begin, end in stretches(len(valid), splices):
        edges = np.diff(np.concatenate([[0], (~valid[begin:end]).astype(int), [0]]))
        starts, stops = (begin + np.flatnonzero(edges == sign) for sign in (1, -1))
        for first, last in zip(starts, stops, strict=True):
            if last - first <= longest and first > begin and last < end:
                short[first:last] = True
    return short


def filled(values: FloatArray, valid: BoolArray, splices: Sequence[int] = ()) -> FloatArray:
    """(F, ...) values with invalid rows interpolated linearly in time, held at the ends.

    Nothing is interpolated across a splice: up to it the last value is held, from it on the next.
    A stretch without any takes the nearest other one.
    """
    found = np.flatnonzero(valid)
    whole = np.array(values, np.float32)
    for first, last in stretches(len(valid), splices):
        rows = first + np.flatnonzero(~valid[first:last])
        good = found[(found >= first) & (found < last)]
        if not len(good):
            good = found[[np.abs(found - (first + last) // 2).argmin()]]
        after = np.searchsorted(good, rows)
        left = good[np.clip(after - 1, 0, len(good) - 1)]
        right = good[np.clip(after, 0, len(good) - 1)]
        part = np.clip((rows - left) / np.maximum(right - left, 1), 0, 1)
        part = part.reshape(-1, *[1] * (values.ndim - 1))
        whole[rows] = (1 - part) * values[left] + part * values[right]
    return whole


def _typical_shape(landmarks: FloatArray) -> Values:
    """(478, 2) shape of a middle frame scaled to an eye distance of 1."""
    picked = landmarks[:: max(len(landmarks) // 64, 1), :, :2].astype(np.float64)
    shape = np.median(picked - picked.mean(1, keepdims=True), axis=0)
    return shape / np.linalg.norm(shape[mesh.EYE_CORNERS[0]] - shape[mesh.EYE_CORNERS[1]])


def _slow_share(typical: Values) -> Values:
    """(478,) share of the filter: 0 on lips, lids and irises, 1 far from them."""
    quick = typical[list(_QUICK_POINTS)]
    nearest = np.linalg.norm(typical[:, None] - quick, axis=-1).min(1)
    part = np.clip(nearest / _TRANSITION, 0, 1)
    return part * part * (3 - 2 * part)


def _steadied_part(landmarks: FloatArray, typical: Values, weight: Values) -> FloatArray:
    from scipy.signal import savgol_filter

    points = landmarks.astype(np.float64)
    motion = np.array([_motion(typical, frame[:, :2]) for frame in points])
    motion[:, 1] = np.unwrap(motion[:, 1])
    shape = np.concatenate([_unmoved(points[..., :2], motion), points[..., 2:]], -1)
    shape = weight * savgol_filter(shape, *SLOW, axis=0) + (1 - weight) * shape
    calm = savgol_filter(motion, *SLOW, axis=0)
    placed = _moved(shape[..., :2], calm)
    return np.concatenate([placed, shape[..., 2:]], -1).astype(np.float32)


def _motion(typical: Values, points: Values) -> Values:
    """(4,) log scale, angle, x and y that lay the typical shape on a frame's points on bone."""
    rigid = list(mesh.RIGID)
    scale, turn, shift = similarity(typical[rigid], points[rigid])
    return np.array([np.log(scale), np.arctan2(turn[1, 0], turn[0, 0]), *shift])


def _unmoved(points: Values, motion: Values) -> Values:
    away = points - motion[:, None, 2:]
    return _turned(away, -motion[:, 1]) * np.exp(-motion[:, 0])[:, None, None]


def _moved(shape: Values, motion: Values) -> Values:
    turned = _turned(shape, motion[:, 1]) * np.exp(motion[:, 0])[:, None, None]
    return np.asarray(turned + motion[:, None, 2:])


def _turned(points: Values, angle: Values) -> Values:
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([c * x - s * y, s * x + c * y], -1)
