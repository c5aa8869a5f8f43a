"""Offset, confidence and distance of mouth and sound, in the style of LSE-C and LSE-D.

For every lag the mean Euclidean distance between the embedding of the mouth at ``t + lag`` and of
the sound at ``t``. The *offset* is the lag of the smallest distance, positive when the mouth is
late; the *confidence* is the median over lags minus that smallest distance; the *distance* is the
smallest itself. Definitions after Chung and Zisserman (2016) and Wav2Lip's LSE-C and LSE-D; those
names belong to SyncNet's weights and are never used for another expert's figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nerf_talker.evaluate.lips import Series
from nerf_talker.losses.sync_expert import LAGS

LAG_AXIS = np.arange(-LAGS, LAGS + 1)

LEAST_OVERLAP = 16
"""Frames that must overlap at a lag: 0.64 s at 25 fps, two to three syllables."""

LEAST_FRAMES = LAGS + LEAST_OVERLAP


@dataclass(frozen=True)
class SyncCurve:
    """Mean distance of mouth and sound over :data:`LAG_AXIS`.

    Attributes:
        distances: (2 * LAGS + 1,) between unit vectors, from 0 to 2.
    """

    distances: Series

    @property
    def offset(self) -> int:
        """Frames by which the mouth is late; the smaller shift wins a tie."""
        order = np.argsort(np.abs(LAG_AXIS), kind="stable")
        # Rounded: a tie must not be broken by the order of a sum.
        return int(LAG_AXIS[order[np.argmin(self.distances[order].round(9))]])

    @property
    def distance(self) -> float:
        """The smallest distance; lower is better."""
        return float(self.distances.min())

    @property
    def confidence(self) -> float:
        """How far the best lag stands out; higher is better."""
        return float(np.median(self.distances)) - self.distance


@torch.no_grad()
def sync_curve(mouths: Tensor, sound: Tensor) -> SyncCurve | None:
    """The curve of (T, E) embeddings of mouths and sound; None below :data:`LEAST_FRAMES`."""
    count = min(len(mouths), len(sound))
    if count < LEAST_FRAMES:
        return None
    distances = []
    for lag in LAG_AXIS.tolist():
        first, last = max(0, -lag), min(count, count - lag)
        apart = mouths[first + lag : last + lag] - sound[first:last]
        distances.append(float(apart.double().norm(dim=-1).mean()))
    return SyncCurve(np.array(distances))
