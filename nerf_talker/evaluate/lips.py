"""Figures of lip motion from landmarks or lip gaps over time.

Points are (x, y) pixels; a *lip gap* is :func:`nerf_talker.geometry.mesh.lip_gap`. Series are per
frame at the clip's full rate, NaN where no face was found; a figure uses the frames both series
have. A *lag* in frames is positive when the prediction is late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]

LAGS = np.arange(-10, 11)
"""Frames over which lags are searched."""

FEWEST = 8
"""Frames both series must share before a correlation means anything."""


@dataclass(frozen=True)
class LagCurve:
    """Correlation of two series over :data:`LAGS`.

    Attributes:
        correlation: One Pearson correlation per lag, NaN where too few frames overlap.
    """

    correlation: Series

    @property
    def best_lag(self) -> int:
        """The lag in frames with the highest correlation; the smaller shift wins a tie."""
        order = np.argsort(np.abs(LAGS), kind="stable")
        return int(LAGS[order[np.nanargmax(self.correlation[order])]])

    @property
    def peak(self) -> float:
        """The highest correlation."""
        return float(np.nanmax(self.correlation))

    @property
    def confidence(self) -> float:
        """Peak minus median over lags: how much the best lag stands out."""
        return self.peak - float(np.nanmedian(self.correlation))


def correlation(a: Series, b: Series) -> float | None:
    """Pearson correlation over the frames both have; None when undefined."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < FEWEST:
        return None
    x, y = a[both] - a[both].mean(), b[both] - b[both].mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    floor = 1e-9 * both.sum() * (1 + np.abs(a[both]).max() * np.abs(b[both]).max())
    return None if scale <= floor else float(x @ y / scale)


def lag_curve(predicted: Series, reference: Series) -> LagCurve | None:
    """Correlation of ``predicted[t + lag]`` with ``reference[t]`` per lag; None if undefined."""
    values = [correlation(*_overlap(predicted, reference, int(lag))) for lag in LAGS]
    curve = np.array([np.nan if value is None else value for value in values])
    return LagCurve(curve) if np.isfinite(curve).any() else None


def std_ratio(predicted: Series, truth: Series) -> float | None:
    """Standard deviation of the prediction over the truth's; below 1 the mouth is muted."""
    both = np.isfinite(predicted) & np.isfinite(truth)
    if both.sum() < FEWEST or truth[both].std() <= 1e-9:
        return None
    return float(predicted[both].std() / truth[both].std())


def jitter(points: Series, width: int) -> float | None:
    """RMS second difference over time of one point (F, 2), in pixels at a width of 512."""
    second = np.diff(points, n=2, axis=0)
    square = (second**2).sum(-1)
    square = square[np.isfinite(square)]
    return float(np.sqrt(square.mean()) * 512 / width) if square.size else None


def _overlap(predicted: Series, reference: Series, lag: int) -> tuple[Series, Series]:
    count = min(len(predicted), len(reference))
    if abs(lag) >= count:
        return predicted[:0], reference[:0]
    if lag >= 0:
        return predicted[lag:count], reference[: count - lag]
    return predicted[: count + lag], reference[-lag:count]
