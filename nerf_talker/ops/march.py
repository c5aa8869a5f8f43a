"""Ray/box intersection and marching through an occupancy grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for
from nerf_talker.ops.checks import check_bool, check_floating, check_shape
from nerf_talker.ops.register import operators


@dataclass(frozen=True)
class Samples:
    """Packed march result: ray_indices (M,), starts (M,) metres, ray_offsets (N, 2)."""

    ray_indices: Tensor
    starts: Tensor
    ray_offsets: Tensor


def ray_box(origins: Tensor, directions: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave an axis-aligned box.

    Args:
        origins: (N, 3) metres.
        directions: (N, 3), any length; distances are in units of it.
        box: (2, 3) lower and upper corner.

    Returns:
        near (N,) clamped to 0 and far (N,); ``far <= near`` where the ray misses.

    Raises:
        ValueError: A shape, dtype or device does not fit.
    """
    check_shape("ray_box", "origins", origins, None, 3)
    check_shape("ray_box", "directions", directions, len(origins), 3)
    check_shape("ray_box", "box", box, 2, 3)
    check_floating("ray_box", origins=origins, directions=directions, box=box)
    # The box is cheap beside a gradient to poses: those go through torch.
    if not _differentiable(origins, directions, box) and library_for(origins, directions, box):
        return operators().ray_box(origins, directions, box)
    return reference.ray_box(origins, directions, box)


def march(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
) -> Samples:
    """Sample rays on a regular lattice, keeping what lies in occupied cells.

    Sample k of a ray covers [near + (k + jitter) * step, + step) and is kept when its centre lies
    before ``far`` in a set cell, so the set does not depend on which cells were visited.

    Args:
        origins: (N, 3) metres.
        directions: (N, 3) unit length.
        near: (N,) metres.
        far: (N,) metres; a ray with ``far <= near`` gets no sample.
        occupancy: (R, R, R) bool, indexed x, y, z.
        box: (2, 3) corners of the grid, metres.
        step: Sample length in metres.
        jitter: (N,) in [0, 1).

    Returns:
        Packed samples in ray order.

    Raises:
        ValueError: A shape, dtype or device does not fit, or the step is not positive.
    """
    count = len(origins)
    check_shape("march", "origins", origins, None, 3)
    check_shape("march", "directions", directions, count, 3)
    for name, value in (("near", near), ("far", far), ("jitter", jitter)):
        check_shape("march", name, value, count)
    check_shape("march", "occupancy", occupancy, *(occupancy.shape[:1] * 3))
    check_shape("march", "box", box, 2, 3)
    check_floating("march", origins=origins, directions=directions, near=near, far=far, box=box)
    if not step > 0:
        raise ValueError(f"march: step is {step}, needs to be positive")
    check_bool("march", occupancy=occupancy)
    jitter = jitter.to(near.dtype)
    given = (origins, directions, near, far, box, jitter)
    run = reference.march
    if not _differentiable(*given) and library_for(*given):
        run = operators().march
    return Samples(*run(origins, directions, near, far, occupancy, box, step, jitter))


def _differentiable(*values: Tensor) -> bool:
    return torch.is_grad_enabled() and any(value.requires_grad for value in values)
