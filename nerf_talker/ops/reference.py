"""The operators in pure torch, float32 and float64: the oracle of every back-end.

Naive but vectorised; differentiable in everything that has a gradient. The functions here trust
their arguments; :mod:`nerf_talker.ops` documents and checks them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.ops.reference_encodings import frequency_encode, spherical_harmonics
from nerf_talker.ops.reference_grid import (
    PLANE_AXES,
    grid_encode,
    level_sizes,
    triplane_encode,
)

__all__ = [
    "PLANE_AXES",
    "composite",
    "frequency_encode",
    "grid_encode",
    "level_sizes",
    "march",
    "march_packed",
    "occupied",
    "ray_box",
    "ray_distortion",
    "render_weights",
    "spherical_harmonics",
    "triplane_encode",
]


def ray_box(origins: Tensor, directions: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Slab test of (N, 3) rays against a (2, 3) box; see :func:`nerf_talker.ops.ray_box`."""
    tiny = torch.finfo(directions.dtype).tiny
    safe = torch.where(directions.abs() < tiny, torch.full_like(directions, tiny), directions)
    first = (box[0] - origins) / safe
    second = (box[1] - origins) / safe
    near = torch.minimum(first, second).amax(-1).clamp_min(0)
    far = torch.maximum(first, second).amin(-1)
    return near, far


def occupied(points: Tensor, occupancy: Tensor, box: Tensor) -> Tensor:
    """Whether (..., 3) points fall into a set cell of the (R, R, R) grid spanning ``box``."""
    resolution = occupancy.shape[0]
    cell = ((points - box[0]) / (box[1] - box[0]) * resolution).long()
    inside = ((cell >= 0) & (cell < resolution)).all(-1)
    cell = cell.clamp(0, resolution - 1)
    flat = (cell[..., 0] * resolution + cell[..., 1]) * resolution + cell[..., 2]
    return occupancy.reshape(-1)[flat] & inside


def march(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Occupied lattice intervals of every ray; see :func:`nerf_talker.ops.march`."""
    longest = float((far - near).detach().max()) if len(near) else 0.0
    count = max(int(longest / step) + 1, 0) if longest > 0 else 0
    lattice = torch.arange(count, device=near.device, dtype=near.dtype)
    starts = near[:, None] + (lattice + jitter[:, None]) * step  # (N, K)
    alive = starts + step / 2 < far[:, None]
    ray, index = alive.nonzero(as_tuple=True)
    start = starts[ray, index]
    middle = origins[ray] + directions[ray] * (start + step / 2)[:, None]
    kept = occupied(middle, occupancy, box)
    ray, start = ray[kept], start[kept]
    counts = torch.bincount(ray, minlength=len(near))
    first = torch.cumsum(counts, 0) - counts
    return ray, start, torch.stack([first, counts], -1)


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
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same in buffers of a fixed size; see :func:`nerf_talker.ops.march_packed`."""
    length = far - near
    endless = ~(length <= 0) & ~(length < step * (2**31 - 1))
    near, far = near.masked_fill(endless, 0), far.masked_fill(endless, 0)
    ray, start, offsets = march(origins, directions, near, far, occupancy, box, step, jitter)
    wanted, kept = len(ray), min(len(ray), capacity)
    ray_indices = ray.new_full((capacity,), max(len(near) - 1, 0))
    ray_indices[:kept] = ray[:kept]
    starts = torch.cat([start[:kept], start.new_zeros(capacity - kept)])
    first = offsets[:, 0].clamp(max=capacity)
    offsets = torch.stack([first, torch.minimum(offsets[:, 1], capacity - first)], -1)
    totals = torch.stack([ray.new_tensor(wanted), ray.new_tensor(wanted - kept), endless.sum()])
    return ray_indices, starts, offsets, totals


def render_weights(
    density: Tensor, steps: Tensor, ray_indices: Tensor, ray_offsets: Tensor
) -> Tensor:
    """Transmittance times alpha of each packed sample; Max 1995, NeRF eq. 3."""
    depth = density * steps
    # A running sum over all rays loses digits in float32 once many opaque rays went by.
    before = torch.cumsum(depth.double(), 0) - depth
    starts = ray_offsets[:, 0].clamp(max=max(len(depth) - 1, 0))
    along = before - before[starts][ray_indices] if len(depth) else before
    return torch.exp(-along).to(density.dtype) * -torch.expm1(-depth)


def composite(
    density: Tensor, values: Tensor, steps: Tensor, ray_indices: Tensor, ray_offsets: Tensor
) -> tuple[Tensor, Tensor]:
    """Weighted sums of values per ray; see :func:`nerf_talker.ops.composite`."""
    weights = render_weights(density, steps, ray_indices, ray_offsets)
    rays = ray_offsets.shape[0]
    channels = torch.cat([values * weights[:, None], weights[:, None]], -1)
    summed = channels.new_zeros(rays, channels.shape[1]).index_add(0, ray_indices, channels)
    return summed[:, :-1], summed[:, -1]


def ray_distortion(
    weights: Tensor, middles: Tensor, lengths: Tensor, ray_indices: Tensor, ray_offsets: Tensor
) -> Tensor:
    """Distortion of the weights of every ray; see :func:`nerf_talker.ops.ray_distortion`."""
    first = ray_offsets[:, 0].clamp(max=max(len(weights) - 1, 0))

    def from_first(values: Tensor) -> Tensor:
        return values - values[first][ray_indices] if len(values) else values

    def before(values: Tensor) -> Tensor:
        return from_first(torch.cumsum(values, 0) - values)

    # In double: the running sums go over all rays.
    along, weight = from_first(middles.double()), weights.double()
    pairs = 2 * weight * (along * before(weight) - before(weight * along))
    each = (pairs + weight * weight * lengths / 3).to(weights.dtype)
    return each.new_zeros(len(ray_offsets)).index_add(0, ray_indices, each)
