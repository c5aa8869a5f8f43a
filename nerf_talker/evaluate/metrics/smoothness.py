"""Steadiness of the head against the truth.

The acceleration of a point is its second difference over time, its movement the deviation from its
own mean over time, both over the points that speech does not move. Figures are root mean squares
over points and frames.

``acceleration_ratio``: prediction over truth; 1 is equal, above 1 shakes. A frozen head would score
0, so ``movement_ratio``, the same of the movement, stands beside it. ``acceleration_error``: of the
difference of the two accelerations, pixels per frame^2 at a frame width of 512; 0 is equality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nerf_talker.geometry.mesh import RIGID


@dataclass(frozen=True)
class Smoothness:
    """The figures; see the module's docstring. None where undefined."""

    acceleration_ratio: float | None
    acceleration_error: float | None
    movement_ratio: float | None


def smoothness(
    predicted: npt.NDArray[np.floating], truth: npt.NDArray[np.floating], width: int
) -> Smoothness:
    """Steadiness of (T, 478, 2 or 3) landmarks in pixels of a frame ``width`` wide.

    Frames in which either face is missing are left out on both sides.
    """
    a = np.asarray(predicted, np.float64)[:, list(RIGID), :2]
    b = np.asarray(truth, np.float64)[:, list(RIGID), :2]
    gone = ~(np.isfinite(a).all((1, 2)) & np.isfinite(b).all((1, 2)))
    a[gone] = b[gone] = np.nan
    if (~gone).sum() < 2:
        return Smoothness(None, None, None)
    fast_a, fast_b = np.diff(a, n=2, axis=0), np.diff(b, n=2, axis=0)
    error = _rms(fast_a - fast_b)
    return Smoothness(
        _ratio(_rms(fast_a), _rms(fast_b)),
        None if error is None else error * 512 / width,
        _ratio(_rms(a - np.nanmean(a, axis=0)), _rms(b - np.nanmean(b, axis=0))),
    )


def _rms(vectors: npt.NDArray[np.float64]) -> float | None:
    square = (vectors**2).sum(-1)
    square = square[np.isfinite(square)]
    return float(np.sqrt(square.mean())) if square.size else None


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below or below <= 1e-9 else above / below
