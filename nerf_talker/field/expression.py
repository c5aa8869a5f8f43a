"""The upper-face expression: brows, blinks and gaze from 52 blendshape scores, standardised.

The seven upper-face channels are SyncTalk's (brows 1-5, blinks 9-10 of MediaPipe's order); two gaze
channels are ours, since a stare that ignores the eyes' motion reads as a mask.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nerf_talker.types import BoolArray, FloatArray

BROWS_AND_BLINKS = (1, 2, 3, 4, 5, 9, 10)
LOOK_DOWN, LOOK_IN, LOOK_OUT, LOOK_UP = (11, 12), (13, 14), (15, 16), (17, 18)
WIDTH = len(BROWS_AND_BLINKS) + 2
LIDS = (5, 6)
"""Columns of the blinks."""

LIMIT = 3.0
LARGEST = 3  # the third largest score is a shut eye; a frame or two may be the tracker's error


def upper_face(blendshapes: FloatArray) -> FloatArray:
    """(F, 9) brows, blinks, horizontal and vertical gaze from (F, 52) scores in [0, 1]."""
    brows = blendshapes[:, list(BROWS_AND_BLINKS)]
    left_out, right_out = blendshapes[:, LOOK_OUT[0]], blendshapes[:, LOOK_OUT[1]]
    left_in, right_in = blendshapes[:, LOOK_IN[0]], blendshapes[:, LOOK_IN[1]]
    across = (left_out - left_in + right_in - right_out) / 2
    up = blendshapes[:, list(LOOK_UP)].mean(-1) - blendshapes[:, list(LOOK_DOWN)].mean(-1)
    return np.concatenate([brows, across[:, None], up[:, None]], -1).astype(np.float32)


class ExpressionScale(nn.Module):
    """Standardisation of the expression to the training frames, held to +-3 deviations."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(WIDTH))
        self.register_buffer("scale", torch.ones(WIDTH))

    @torch.no_grad()
    def fit(self, blendshapes: FloatArray, valid: BoolArray) -> None:
        """Fit to the (F, 52) scores of the valid training frames."""
        values = torch.from_numpy(upper_face(blendshapes[valid]))
        self.mean.copy_(values.mean(0))
        # A channel that never moves must stay silent instead of amplifying detector noise.
        self.scale.copy_(values.std(0, unbiased=False).clamp_min(0.02))
        # Eyes are shut so seldom that three deviations are a half-shut one: a head that is told no
        # more shows lids and eyeball at once.
        lids = list(LIDS)
        shut = values[:, lids].topk(min(LARGEST, len(values)), 0).values[-1]
        reach = (shut - self.mean[lids]) / LIMIT
        self.scale[lids] = torch.maximum(self.scale[lids], reach)

    def forward(self, expression: Tensor) -> Tensor:
        """(T, 9) standardised from (T, 9) raw."""
        return ((expression - self.mean) / self.scale).clamp(-LIMIT, LIMIT)
