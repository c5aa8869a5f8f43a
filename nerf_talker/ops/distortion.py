"""How far the weights along a ray are spread out."""

from __future__ import annotations

from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for
from nerf_talker.ops.checks import check_floating, check_index, check_shape, single
from nerf_talker.ops.register import operators


def ray_distortion(
    weights: Tensor, middles: Tensor, lengths: Tensor, ray_indices: Tensor, ray_offsets: Tensor
) -> Tensor:
    """Distortion of the rendering weights of each ray; mip-NeRF 360 (Barron et al. 2022) eq. 15.

    sum_ij w_i w_j |m_i - m_j| + sum_i w_i^2 l_i / 3, exact, in one pass over the samples.

    Args:
        weights: (M,) rendering weights.
        middles: (M,) centres of the samples along their ray, ascending within a ray, metres.
        lengths: (M,) lengths of the samples, metres.
        ray_indices: (M,) int64, non-decreasing.
        ray_offsets: (N, 2) int64 first sample and count of each ray.

    Returns:
        (N,) metres, 0 for a ray without samples. Differentiable in the weights alone: where samples
        lie is taken as given.

    Raises:
        ValueError: A shape, dtype or device does not fit.
    """
    op = "ray_distortion"
    weights, middles, lengths = single(weights), single(middles), single(lengths)
    check_shape(op, "weights", weights, None)
    check_shape(op, "middles", middles, len(weights))
    check_shape(op, "lengths", lengths, len(weights))
    check_shape(op, "ray_indices", ray_indices, len(weights))
    check_shape(op, "ray_offsets", ray_offsets, None, 2)
    check_index(op, weights.device, ray_indices=ray_indices, ray_offsets=ray_offsets)
    check_floating(op, weights=weights, middles=middles, lengths=lengths)
    middles, lengths = middles.detach(), lengths.detach()
    if library_for(weights, middles, lengths) is not None:
        return operators().ray_distortion(weights, middles, lengths, ray_offsets)
    return reference.ray_distortion(weights, middles, lengths, ray_indices, ray_offsets)
