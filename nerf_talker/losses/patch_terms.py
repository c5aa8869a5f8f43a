"""Loss terms of square patches: what a pixel alone cannot say about sharpness."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 3
_C1, _C2 = 0.01**2, 0.03**2


def gradient_pyramid(prediction: Tensor, target: Tensor, width: float = 1e-3) -> Tensor:
    """Rounded L1 between the slopes of two pictures at up to three scales.

    Blur lowers the slopes at every edge, and a constant error leaves them alone: the term asks for
    sharpness only (the gradient difference loss of Mathieu et al. 2016, over a pyramid).

    Args:
        prediction: (P, C, H, W).
        target: The same shape.
        width: Differences below it count quadratically.

    Returns:
        (P,) mean over scales, directions, channels and pixels.
    """
    difference = prediction - target
    scales = []
    for _ in range(LEVELS):
        if min(difference.shape[-2:]) < 2:
            break
        for slope in (difference.diff(dim=-1), difference.diff(dim=-2)):
            size = (slope * slope + width * width).sqrt() - width
            scales.append(size.flatten(1).mean(1))
        difference = F.avg_pool2d(difference, 2, ceil_mode=True)
    return torch.stack(scales).mean(0)


def dissimilarity(prediction: Tensor, target: Tensor, window: int = 7) -> Tensor:
    """(1 - SSIM) / 2 of (P, C, H, W) pictures with a square window (Wang et al. 2004).

    Returns:
        (P, C, h, w) at the windows that fit, 0 where the pictures agree.
    """
    window = min(window, *prediction.shape[-2:])

    def mean(value: Tensor) -> Tensor:
        return F.avg_pool2d(value, window, 1)

    one, two = mean(prediction), mean(target)
    first = mean(prediction * prediction) - one * one
    second = mean(target * target) - two * two
    both = mean(prediction * target) - one * two
    top = (2 * one * two + _C1) * (2 * both + _C2)
    bottom = (one * one + two * two + _C1) * (first + second + _C2)
    return (1 - top / bottom) / 2
