"""Learned perceptual image patch similarity, v0.1 with AlexNet or VGG16 (Zhang et al., 2018).

Definition: sum over the network's five ReLU taps of the spatial mean of the squared difference of
unit-normalised features, weighted per channel by the published linear heads; inputs in [-1, 1].
0 is equality; lower is better; figures of the two networks must not be compared with each other.
The weights come from the registry (``lpips_alex.npz``, ``lpips_vgg.npz``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

WEIGHTS = "lpips_alex.npz"
VGG_WEIGHTS = "lpips_vgg.npz"

SMALLEST = 31
"""Pixels of the shorter side below which AlexNet's second pooling has nothing left; VGG16 needs
fewer, but both are taken on the same pictures."""

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


@dataclass(frozen=True)
class _Layer:
    """One convolution with its ReLU.

    Attributes:
        stride: In pixels.
        padding: In pixels.
        tapped: Whether LPIPS reads it.
        pooling: Kernel of the max pooling of stride 2 after it, 0 for none.
    """

    stride: int = 1
    padding: int = 1
    tapped: bool = True
    pooling: int = 0


_ALEX = (_Layer(4, 2, pooling=3), _Layer(1, 2, pooling=3), _Layer(), _Layer(), _Layer())
_VGG = tuple(
    _Layer(tapped=last, pooling=2 if last and block < 4 else 0)
    for block, depth in enumerate((2, 2, 3, 3, 3))
    for last in [False] * (depth - 1) + [True]
)


class PerceptualNetwork:
    """The network that the weights hold, on a device of the caller's choice; it never learns."""

    def __init__(self, weights: Path, device: torch.device | str = "cpu") -> None:
        with np.load(weights, allow_pickle=False) as arrays:
            self._weights = {
                name: torch.from_numpy(arrays[name]).to(device) for name in arrays.files
            }
        self._layers = _VGG if f"conv{len(_ALEX)}.weight" in self._weights else _ALEX
        self._shift = torch.tensor(_SHIFT, device=device).view(1, 3, 1, 1)
        self._scale = torch.tensor(_SCALE, device=device).view(1, 3, 1, 1)

    def taps(self, pictures: Tensor) -> list[Tensor]:
        """Five unit-normalised (P, C, h, w) feature maps of (P, 3, H, W) pictures in [-1, 1]."""
        weights = self._weights
        value = (pictures - self._shift) / self._scale
        taps = []
        for i, layer in enumerate(self._layers):
            kernel, bias = weights[f"conv{i}.weight"], weights[f"conv{i}.bias"]
            value = functional.conv2d(value, kernel, bias, layer.stride, layer.padding)
            value = functional.relu(value)
            if layer.tapped:
                # Where all is zero the root has no slope; clamped, it has none that matters.
                squared = value.square().sum(1, keepdim=True).clamp_min(1e-20)
                taps.append(value / (squared.sqrt() + 1e-10))
            if layer.pooling:
                value = functional.max_pool2d(value, layer.pooling, 2)
        return taps

    def apart(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        """(5, P) share of each tap in LPIPS between the :meth:`taps` of two sets of pictures."""
        parts = []
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            head = self._weights[f"lin{i}"].view(1, -1, 1, 1)
            parts.append(((one - other).square() * head).sum(1).flatten(1).mean(1))
        return torch.stack(parts)

    def dissimilarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(P,) LPIPS of (P, 3, H, W) pictures in [0, 1]; differentiable in the first."""
        with torch.no_grad():
            wanted = self.taps(2 * target - 1)
        return self.apart(self.taps(2 * prediction - 1), wanted).sum(0)
