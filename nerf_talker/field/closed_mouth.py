"""An identity's closed mouth, as a mouth code."""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode
from nerf_talker.geometry.mesh import INNER_LIPS

# Share of the frames, those with the narrowest gap, whose mean is the closed mouth: few enough to
# be closed, many enough to hold no one frame's expression.
CLOSED_SHARE = 0.05
# Deviations of the gap below its mean where a mouth is shut that no frames are known of.
SHUT = 1.3


def inner_gap(landmarks: Tensor) -> Tensor:
    """(T,) metres between the inner lips of (T, K, 3) canonical mouth landmarks."""
    upper, lower = (MOUTH_POINTS.index(point) for point in INNER_LIPS)
    return (landmarks[:, upper] - landmarks[:, lower]).norm(dim=-1)


def narrowest(gap: Tensor) -> Tensor:
    """Rows of (T,) gaps between the lips in which the mouth is closed."""
    return gap.argsort()[: max(round(CLOSED_SHARE * len(gap)), 1)]


@torch.no_grad()
def closed_code(mouth: MouthCode, codes: Tensor) -> Tensor:
    """(C,) mean of the (T, C) codes with the narrowest gap between the lips."""
    return codes[narrowest(inner_gap(mouth.landmarks(codes)))].mean(0)


@torch.no_grad()
def presumed_closed_code(mouth: MouthCode) -> Tensor:
    """(C,) the likeliest code of a closed mouth, where no training frames are at hand.

    Components are uncorrelated and of deviation one, so the shortest way to a narrower gap is down
    the gap's gradient.
    """
    count = len(mouth.scale)
    steps = 0.1 * torch.eye(count, device=mouth.scale.device)
    slope = (inner_gap(mouth.landmarks(steps)) - inner_gap(mouth.landmarks(-steps))) / 0.2
    return -SHUT * slope / slope.norm().clamp_min(1e-9)
