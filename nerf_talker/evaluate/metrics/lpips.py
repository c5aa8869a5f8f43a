"""LPIPS of whole pictures, by the network of :mod:`nerf_talker.losses.perceptual`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nerf_talker.losses.perceptual import SMALLEST, VGG_WEIGHTS, WEIGHTS, PerceptualNetwork
from nerf_talker.types import ByteArray

__all__ = ["SMALLEST", "VGG_WEIGHTS", "WEIGHTS", "Lpips", "large_enough"]


class Lpips(PerceptualNetwork):
    """The network as a metric: single 8-bit pictures in, numbers out."""

    @torch.inference_mode()
    def features(self, picture: ByteArray) -> list[Tensor]:
        """Five unit-normalised (1, C, h, w) feature maps of an (H, W, 3) uint8 picture."""
        pixels = torch.tensor(picture, dtype=torch.float32, device=self._shift.device)
        return self.taps(pixels.permute(2, 0, 1)[None] / 127.5 - 1)

    @torch.inference_mode()
    def distance(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
        """LPIPS between the :meth:`features` of two pictures of one size."""
        return sum(float(part) for part in self.apart(a, b)[:, 0])


def large_enough(picture: ByteArray) -> bool:
    """Whether LPIPS is defined on the picture."""
    return min(picture.shape[:2]) >= SMALLEST
