"""Eyes from the face landmarks: how far open they are for this person, blinks, and gaze.

Eyes differ as faces do, and landmarks do not close them fully, so openness is measured between the
person's own shut and open eyes. (F, 478, 3) landmarks are in pixels, z in pixels too; "right" and
"left" are the image's, as in :mod:`nerf_talker.geometry.mesh`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nerf_talker.data.eyes import EyeTrack
from nerf_talker.geometry import mesh
from nerf_talker.types import BoolArray, FloatArray

Values = npt.NDArray[np.float64]

# Upper and lower lid: places in the rims of mesh.RIGHT_EYE and LEFT_EYE that face each other, about
# the middle of the eye; the corners are places 0 and 8.
LIDS = ((3, 13), (4, 12), (5, 11))
CORNERS = (0, 8)
IRIS_CENTRES = (468, 473)

# Open is what the eyes are most of the time, shut what they are in the middle of blinks: these
# percentiles of the clip. Blinks fill about 2 % of it.
OPEN_PERCENTILE, SHUT_PERCENTILE = 75.0, 0.5
# In a clip without a blink the lowest value is no shut eye; then shut is this part of open.
LEAST_CLOSING, SHUT_PART = 0.6, 0.3
# A blink is where openness falls below the first and lasts while it is below the second. Between
# them lie looking down and squinting.
DEEP, EDGE = 0.45, 0.75


def eye_track(landmarks: FloatArray, valid: BoolArray) -> EyeTrack:
    """Openness, blinks and gaze of a clip.

    Args:
        landmarks: (F, 478, 3) pixels.
        valid: (F,) bool, False where they were interpolated.
    """
    apertures = np.stack([_aperture(landmarks, rim) for rim in (mesh.RIGHT_EYE, mesh.LEFT_EYE)], 1)
    span = np.array([_span(column[valid]) for column in apertures.T])
    openness = np.clip((apertures - span[:, 0]) / (span[:, 1] - span[:, 0]), 0, 1)
    found = list(blinks(openness.mean(1)))
    return EyeTrack(
        openness.astype(np.float32),
        span.astype(np.float32),
        np.array(found, np.float32).reshape(-1, 3),
        _gaze(landmarks).astype(np.float32),
    )


def blinks(openness: npt.NDArray[np.floating]) -> Iterator[tuple[int, int, float]]:
    """First frame, frame after the last, and depth (1 is shut) of every closing of the eyes.

    Args:
        openness: (F,) from 0, shut, to 1, open.
    """
    for first, last in runs(np.asarray(openness) < EDGE):
        deepest = float(openness[first:last].min())
        if deepest < DEEP:
            yield first, last, 1 - deepest


def runs(flags: BoolArray) -> Iterator[tuple[int, int]]:
    """First frame and frame after the last of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _aperture(landmarks: FloatArray, rim: tuple[int, ...]) -> Values:
    """(F,) distance of the lids over that of the eye's corners."""
    points = landmarks[:, list(rim)].astype(np.float64)
    heights = [np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in LIDS]
    width = np.linalg.norm(points[:, CORNERS[0]] - points[:, CORNERS[1]], axis=-1)
    return np.asarray(np.mean(heights, 0) / np.maximum(width, 1e-6))


def _span(aperture: Values) -> tuple[float, float]:
    """Apertures of the shut and of the open eye."""
    shut, opened = np.percentile(aperture, (SHUT_PERCENTILE, OPEN_PERCENTILE))
    if shut > LEAST_CLOSING * opened:
        shut = SHUT_PART * opened
    return float(shut), float(max(opened, shut + 1e-3))


def _gaze(landmarks: FloatArray) -> Values:
    """(F, 2) mean offset of the irises from the middle of the eyes, right and down.

    In units of the eye's width and along its own axis, so that a tilted head looks straight.
    """
    offsets = []
    for rim, iris in zip((mesh.RIGHT_EYE, mesh.LEFT_EYE), IRIS_CENTRES, strict=True):
        corners = landmarks[:, [rim[place] for place in CORNERS], :2].astype(np.float64)
        axis = corners[:, 1] - corners[:, 0]
        # From the image's left to its right, whichever corner is the outer one.
        axis = np.where(axis[:, :1] < 0, -axis, axis)
        width = np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-6)
        right = axis / width
        down = np.stack([-right[:, 1], right[:, 0]], 1)
        away = landmarks[:, iris, :2] - corners.mean(1)
        offsets.append(np.stack([(away * right).sum(1), (away * down).sum(1)], 1) / width)
    return np.mean(offsets, 0)
