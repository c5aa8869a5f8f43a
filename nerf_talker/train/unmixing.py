"""The head's own colour in pixels that it covers in part.

Such a pixel shows a mixture of the head and what lies behind it (Porter and Duff 1984). A head that
learns the mixture carries a fringe of the clip's background along its hair and ears. What lies
behind is known, since the plates are made first, so it can be taken out; over its own background
the head then shows the very pixel again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.render.talker import Talker
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
def own_colours(
    talker: Talker, driving: Driving, frame: Tensor, pixels: Tensor, rgb: Tensor, alpha: Tensor
) -> Tensor:
    """(N, 3) colours of the head alone where it covers a part of a pixel, the given ones elsewhere.

    Args:
        talker: Whose torso and background lie behind the head, fitted.
        driving: T frames.
        frame: (N,) row of ``driving`` of each pixel.
        pixels: (N, 2) int64 rows and columns.
        rgb: (N, 3) what the pixels show, in [0, 1].
        alpha: (N,) share of the head in them.
    """
    part = (alpha > 0) & (alpha < 1)
    # A GPU would have to be waited for to learn which pixels are meant; it takes them all.
    at = torch.arange(len(part), device=part.device) if part.is_cuda else part.nonzero()[:, 0]
    if not len(at):
        return rgb
    rows = frame[at]
    bend = None if driving.torso_bend is None else driving.torso_bend[rows]
    behind = talker.behind_head(
        pixels[at], driving.camera_to_head[rows], driving.torso_motion[rows], bend
    )
    found = rgb.clone()
    found[at] = unmixed(rgb[at], alpha[at], behind)
    return found
