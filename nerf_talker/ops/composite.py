"""Front-to-back compositing of packed samples."""

from __future__ import annotations

from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for
from nerf_talker.ops.checks import check_floating, check_index, check_shape, single
from nerf_talker.ops.register import operators


def render_weights(
    density: Tensor, steps: Tensor, ray_indices: Tensor, ray_offsets: Tensor
) -> Tensor:
    """Share of each sample in its pixel: T_i (1 - exp(-density_i step_i)); NeRF 2020 eq. 3.

    Args:
        density: (M,) 1/m, non-negative.
        steps: (M,) metres.
        ray_indices: (M,) int64, non-decreasing.
        ray_offsets: (N, 2) int64 first sample and count of each ray.

    Returns:
        (M,); the weights of one ray and its leftover transmittance sum to one.

    Raises:
        ValueError: A shape, dtype or device does not fit.
    """
    density, steps = single(density), single(steps)
    _check("render_weights", density, steps, ray_indices, ray_offsets)
    if library_for(density, steps) is not None:
        return operators().render_weights(density, steps, ray_offsets)
    return reference.render_weights(density, steps, ray_indices, ray_offsets)


def composite(
    density: Tensor, values: Tensor, steps: Tensor, ray_indices: Tensor, ray_offsets: Tensor
) -> tuple[Tensor, Tensor]:
    """Composite any number of channels at once.

    Args:
        density: (M,) 1/m, non-negative.
        values: (M, C) what to sum: colour, depth, features.
        steps: (M,) metres.
        ray_indices: (M,) int64, non-decreasing.
        ray_offsets: (N, 2) int64 first sample and count of each ray.

    Returns:
        (N, C) weighted sums and (N,) opacity; zero for a ray without samples. Differentiable in
        density, values and steps.

    Raises:
        ValueError: A shape, dtype or device does not fit.
    """
    density, values, steps = single(density), single(values), single(steps)
    _check("composite", density, steps, ray_indices, ray_offsets)
    check_shape("composite", "values", values, len(density), None)
    check_floating("composite", density=density, values=values)
    if library_for(density, values, steps) is not None:
        return operators().composite(density, values, steps, ray_offsets)
    return reference.composite(density, values, steps, ray_indices, ray_offsets)


def _check(op: str, density: Tensor, steps: Tensor, ray_indices: Tensor, offsets: Tensor) -> None:
    check_shape(op, "density", density, None)
    check_shape(op, "steps", steps, len(density))
    check_shape(op, "ray_indices", ray_indices, len(density))
    check_shape(op, "ray_offsets", offsets, None, 2)
    check_index(op, density.device, ray_indices=ray_indices, ray_offsets=offsets)
    check_floating(op, density=density, steps=steps)
