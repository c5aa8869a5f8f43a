"""Frames drawn evenly over how far the eyes are shut and the lips are open.

A person's eyes are shut in three frames of a hundred. A head that sees them so seldom answers with
the median of all it saw, which under an absolute error is an open eye: lids and eyeball at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from nerf_talker.data.dataset import Dataset
from nerf_talker.field.expression import LARGEST
from nerf_talker.geometry.mesh import lip_gap

Rows = npt.NDArray[np.int64]

LEVELS = 4
# Levels are evenly spaced from this percentile to the value that a shut eye is told by: few frames
# show one.
LOWEST = 1.0
BLINKS = (9, 10)  # of MediaPipe's blendshapes


class BalancedFrames:
    """Rows of frames by levels of a few measures, each level as likely as another."""

    def __init__(self, *measures: npt.NDArray[np.floating]) -> None:
        """(F,) ``measures`` of all rows that may be drawn."""
        self.levels = [_levels(values) for values in measures]

    @classmethod
    def of(cls, dataset: Dataset, frames: Rows) -> BalancedFrames:
        """Of ``frames`` of a dataset: by their lids, and by the gap between their lips."""
        lids = dataset.track.blendshapes[frames][:, list(BLINKS)].mean(1)
        return cls(lids, lip_gap(dataset.track.landmarks[frames]))

    def draw(self, count: int, generator: torch.Generator) -> Rows:
        """(count,) rows; each measure is as likely as another."""
        place = torch.rand(count, 3, generator=generator, dtype=torch.float64).numpy()
        rows = np.empty(count, np.int64)
        for k, (measure, level, within) in enumerate(place):
            groups = self.levels[int(measure * len(self.levels))]
            group = groups[int(level * len(groups))]
            rows[k] = group[int(within * len(group))]
        return rows


def _levels(values: npt.NDArray[np.floating]) -> list[Rows]:
    """The rows of each level that has any."""
    low, high = np.percentile(values, LOWEST), np.sort(values)[-min(LARGEST, len(values))]
    inner = np.linspace(low, high, LEVELS + 1)[1:-1]
    level = np.searchsorted(inner, values, side="right")
    found = [np.flatnonzero(level == k) for k in range(LEVELS)]
    return [rows for rows in found if len(rows)]
