"""Ray/box intersection and marching through an occupancy grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.errors import BackendError
from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for
from nerf_talker.ops.checks import check_bool, check_floating, check_shape
from nerf_talker.ops.register import operators
from nerf_talker.ops.register_rays import endless_text


@dataclass(frozen=True)
class Samples:
    """Packed march result: ray_indices (M,), starts (M,) metres, ray_offsets (N, 2)."""

    ray_indices: Tensor
    starts: Tensor
    ray_offsets: Tensor


@dataclass(frozen=True)
class PackedSamples:
    """March result in buffers of a fixed capacity M; nothing of it has been waited for.

    Attributes:
        ray_indices: (M,) int64, non-decreasing; the last ray behind the last sample.
        starts: (M,) metres; 0 behind the last sample.
        ray_offsets: (N, 2) int64 first sample and count of each ray, all below M.
        totals: (3,) int64 samples wanted, samples dropped for want of capacity, rays without a
            finite end (which keep none).
    """

    ray_indices: Tensor
    starts: Tensor
    ray_offsets: Tensor
    totals: Tensor

    def used(self) -> Tensor:
        """(M,) bool: whether there is a sample; made without waiting."""
        place = torch.arange(len(self.starts), device=self.starts.device)
        return place < self.totals[0] - self.totals[1]

    def check(self) -> None:
        """Wait for the totals and refuse a march that is not whole.

        Raises:
            BackendError: Samples were dropped, or rays were refused.
        """
        wanted, dropped, endless = self.totals.tolist()
        if endless:
            raise BackendError(f"march: {endless_text(endless)}")
        if dropped:
            raise BackendError(
                f"march: {dropped} of {wanted} samples dropped; the capacity is {wanted - dropped}"
            )


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
    jitter = _checked(origins, directions, near, far, occupancy, box, step, jitter)
    given = (origins, directions, near, far, box, jitter)
    run = reference.march
    if not _differentiable(*given) and library_for(*given):
        run = operators().march
    return Samples(*run(origins, directions, near, far, occupancy, box, step, jitter))


def march_packed(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
    capacity: int,
) -> PackedSamples:
    """March into fixed buffers: on a GPU nothing waits, so that a CUDA graph can hold it.

    Arguments as :func:`march`, whose samples it finds in the same order.

    Args:
        origins: (N, 3) metres.
        directions: (N, 3) unit length.
        near: (N,) metres.
        far: (N,) metres.
        occupancy: (R, R, R) bool.
        box: (2, 3) metres.
        step: Sample length in metres.
        jitter: (N,) in [0, 1).
        capacity: Most samples kept; those of the last rays are dropped, and counted.

    Returns:
        Samples in ray order.

    Raises:
        ValueError: A shape, dtype or device does not fit, the step is not positive, or the
            capacity is negative.
    """
    jitter = _checked(origins, directions, near, far, occupancy, box, step, jitter)
    if capacity < 0:
        raise ValueError(f"march: capacity is {capacity}, needs to be at least 0")
    given = (origins, directions, near, far, box, jitter)
    run = reference.march_packed
    if not _differentiable(*given) and library_for(*given):
        run = operators().march_packed
    return PackedSamples(
        *run(origins, directions, near, far, occupancy, box, step, jitter, capacity)
    )


def _checked(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
) -> Tensor:
    """Refuse arguments of a march that do not fit; the jitter in the dtype of the rays."""
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
    return jitter.to(near.dtype)


def _differentiable(*values: Tensor) -> bool:
    return torch.is_grad_enabled() and any(value.requires_grad for value in values)
