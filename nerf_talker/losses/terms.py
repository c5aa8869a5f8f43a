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


def gate_sparsity(gates: Tensor, opacity: Tensor, inside: Tensor) -> Tensor:
    """How far the gates are open where their part of the face is not.

    SyncTalk's penalty on its attention outside boxes of the picture (Peng et al. 2024), on what a
    ray sees of the gates. They are divided by the opacity, so that a ray cannot pay less by letting
    more light through.

    Args:
        gates: (N, 2) composited mouth and expression gate, ``RenderOutput.features`` of a head.
        opacity: (N,) of the same rays.
        inside: (N, 2) share in [0, 1] of each gate's region at the ray's pixel.

    Returns:
        (N,) sum over both gates, 0 where nothing is seen.
    """
    mean = gates / opacity.clamp_min(1e-4)[:, None]
    return (mean * (1 - inside)).sum(-1) * opacity.detach()


def neighbour_distance(codes: Tensor, next_codes: Tensor) -> Tensor:
    """(T,) squared distance of (T, C) codes to those of the next frames: slow light, no flicker."""
    return (next_codes - codes).square().sum(-1)


def lip_consistency(moved: Tensor, rest: Tensor, width: float = 1e-3) -> Tensor:
    """Distance of lip landmarks, carried to the rest shape by the motion field, from that shape.

    Args:
        moved: (T, K, 3) landmarks of T frames after the field's displacement, metres.
        rest: (K, 3) the same points of the rigid mean shape, metres.
        width: Distances below it count quadratically, metres.

    Returns:
        (T, K) in centimetres.
    """
    squared = (moved - rest).square().sum(-1)
    return 100 * ((squared + width * width).sqrt() - width)
