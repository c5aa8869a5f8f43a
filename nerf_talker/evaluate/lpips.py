"""Learned perceptual image patch similarity, v0.1 with AlexNet (Zhang et al., 2018).

Definition: sum over the network's five ReLU taps of the spatial mean of the squared difference of
unit-normalised features, weighted per channel by the published linear heads; inputs in [-1, 1].
0 is equality; lower is better. The weights come from the registry (``lpips_alex.npz``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nerf_talker.types import ByteArray

WEIGHTS = "lpips_alex.npz"

SMALLEST = 31
"""Pixels of the shorter side below which AlexNet's second pooling has nothing left."""

_STRIDE_PADDING = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))
_POOLED = 2
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class Lpips:
    """The network, on a device of the caller's choice."""

    def __init__(self, weights: Path, device: torch.device | str = "cpu") -> None:
        with np.load(weights, allow_pickle=False) as arrays:
            self._weights = {
                name: torch.from_numpy(arrays[name]).to(device) for name in arrays.files
            }
        self._shift = torch.tensor(_SHIFT, device=device).view(1, 3, 1, 1)
        self._scale = torch.tensor(_SCALE, device=device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def features(self, picture: ByteArray) -> list[Tensor]:
        """Five unit-normalised (1, C, h, w) feature maps of an (H, W, 3) uint8 picture."""
        weights = self._weights
        pixels = torch.tensor(picture, dtype=torch.float32, device=self._shift.device)
        value = (pixels.permute(2, 0, 1)[None] / 127.5 - 1 - self._shift) / self._scale
        taps = []
        for i, (stride, padding) in enumerate(_STRIDE_PADDING):
            kernel, bias = weights[f"conv{i}.weight"], weights[f"conv{i}.bias"]
            value = functional.relu(functional.conv2d(value, kernel, bias, stride, padding))
            taps.append(value / (value.square().sum(1, keepdim=True).sqrt() + 1e-10))
            if i < _POOLED:
                value = functional.max_pool2d(value, 3, 2)
        return taps

    @torch.inference_mode()
    def distance(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
        """LPIPS between the :meth:`features` of two pictures of one size."""
        total = 0.0
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            head = self._weights[f"lin{i}"].view(1, -1, 1, 1)
            total += float(((one - other).square() * head).sum(1).mean())
        return total


def large_enough(picture: ByteArray) -> bool:
    """Whether LPIPS is defined on the picture."""
    return min(picture.shape[:2]) >= SMALLEST
