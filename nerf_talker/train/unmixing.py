"""The head's own colour in pixels that it covers in part.

Such a pixel shows a mixture of the head and what lies behind it (Porter and Duff 1984). A head that
learns the mixture carries a fringe of the clip's background along its hair and ears. What lies
behind is known, since the plates are made first, so it can be taken out; over its own background
the head then shows the very pixel again.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nerf_talker.render.talker import Talker
from nerf_talker.train.sampler import PixelBatch
from nerf_talker.types import Driving

LEAST = 1 / 255
"""Smallest share of the head that a matte of 8 bits tells from none."""


def unmixed(rgb: Tensor, alpha: Tensor, behind: Tensor) -> Tensor:
    """(N, 3) colour of the head alone, held to [0, 1].

    Args:
        rgb: (N, 3) what pixels show.
        alpha: (N,) share of the head in them; where it is 0 the result means nothing.
        behind: (N, 3) what lies behind the head.
    """
    share = alpha[:, None]
    return ((rgb - (1 - share) * behind) / share.clamp_min(LEAST)).clamp(0, 1)


@torch.no_grad()
def own_colours(talker: Talker, driving: Driving, batch: PixelBatch) -> PixelBatch:
    """A batch with the head's own colours.

    Args:
        talker: Whose torso and background lie behind the head, fitted.
        driving: All frames of the dataset.
        batch: Pixels as the pictures show them.
    """
    part = (batch.alpha > 0) & (batch.alpha < 1)
    # A GPU would have to be waited for to learn which pixels are meant; it takes them all.
    at = torch.arange(len(batch), device=part.device) if part.is_cuda else part.nonzero()[:, 0]
    if not len(at):
        return batch
    frames = batch.frames[batch.frame[at]]
    bend = None if driving.torso_bend is None else driving.torso_bend[frames]
    pose, motion = driving.camera_to_head[frames], driving.torso_motion[frames]
    behind = talker.behind_head(batch.pixels[at], pose, motion, bend)
    rgb = batch.rgb.clone()
    rgb[at] = unmixed(batch.rgb[at], batch.alpha[at], behind)
    return replace(batch, rgb=rgb)
