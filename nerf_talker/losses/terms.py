"""Loss terms, each a pure function that returns one value per element."""

from __future__ import annotations

from torch import Tensor

from nerf_talker.ops import ray_distortion
from nerf_talker.types import RaySamples


def charbonnier(prediction: Tensor, target: Tensor, width: float = 1e-3) -> Tensor:
    """L1 with a rounded tip: sqrt(d^2 + width^2) - width (Charbonnier et al. 1994).

    Args:
        prediction: Any shape.
        target: The same shape.
        width: Differences below it count quadratically.

    Returns:
        The same shape.
    """
    difference = prediction - target
    return (difference * difference + width * width).sqrt() - width


def opacity_entropy(opacity: Tensor) -> Tensor:
    """Binary entropy in bits of (N,) opacities: pushes every ray to be either head or not."""
    p = opacity.clamp(1e-5, 1 - 1e-5)
    return -(p * p.log2() + (1 - p) * (1 - p).log2())


def distortion(weights: Tensor, samples: RaySamples) -> Tensor:
    """Spread of the weights along each ray (mip-NeRF 360, Barron et al. 2022, eq. 15).

    Least when all that is seen lies in one place: it dissolves fog and floaters.

    Args:
        weights: (M,) rendering weights of the samples.
        samples: Where they lie.

    Returns:
        (N,) metres.
    """
    middles, lengths = (samples.starts + samples.ends) / 2, samples.ends - samples.starts
    return ray_distortion(weights, middles, lengths, samples.ray_indices, samples.ray_offsets)
