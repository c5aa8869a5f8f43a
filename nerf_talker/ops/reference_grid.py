"""Grid encodings in pure torch; part of :mod:`nerf_talker.ops.reference`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# Teschner et al. 2003 / instant-ngp: one coordinate unhashed for cache coherence.
HASH_PRIMES = (1, 2_654_435_761, 805_459_861)

# The (first, second) coordinates of the xy, yz and xz planes.
PLANE_AXES = ((0, 1), (1, 2), (0, 2))


def corner_index(
    corner: Sequence[Tensor], resolution: int, entries: int, tiled: bool = False
) -> Tensor:
    """Table entry of an integer lattice corner, given as one tensor a coordinate.

    Row-major with the first coordinate fastest where the whole lattice fits or is tiled, else by
    spatial hashing.
    """
    if tiled or resolution ** len(corner) == entries:
        return sum(value * resolution**d for d, value in enumerate(corner)) % entries
    index = corner[0]
    for value, prime in zip(corner[1:], HASH_PRIMES[1:], strict=False):
        index = index ^ (value * prime)
    return index % entries


def grid_lookup(points: Tensor, table: Tensor, resolution: int, tiled: bool = False) -> Tensor:
    """Multilinear lookup in one level of P grids.

    Args:
        points: (P, M, D); outside [0, 1] the border's value is used.
        table: (P, E, F).
        resolution: Lattice corners along an edge, at least 2.
        tiled: Wrap a lattice that does not fit instead of hashing it.

    Returns:
        (P, M, F).
    """
    entries, features = table.shape[1:]
    # As grid_sample's "border": no gradient outside and on the border itself.
    inside = (points > 0) & (points < 1)
    held = torch.where(inside, points, points.detach().clamp(0, 1))
    # In double: at a resolution of 400 a float32 product is already off by 1e-5.
    scaled = held.double() * (resolution - 1)
    cell = scaled.detach().floor().clamp(max=resolution - 2)
    inner = (scaled - cell).to(points.dtype)
    cell = cell.long()
    total = table.new_zeros(*points.shape[:2], features)
    for beyond in itertools.product((0, 1), repeat=points.shape[-1]):
        corner = [cell[..., d] + up for d, up in enumerate(beyond)]
        entry = corner_index(corner, resolution, entries, tiled)
        weight = torch.ones_like(inner[..., 0])
        for d, up in enumerate(beyond):
            weight = weight * (inner[..., d] if up else 1 - inner[..., d])
        values = torch.gather(table, 1, entry[..., None].expand(-1, -1, features))
        total = total + values * weight[..., None]
    return total


def plane_dense(points: Tensor, table: Tensor, resolution: int) -> Tensor:
    """Bilinear lookup in three fully stored planes, by torch's own operator.

    Args:
        points: (3, M, 2) in [0, 1], clamped outside.
        table: (3, resolution**2, F), row-major in the second coordinate.
        resolution: Lattice corners along an edge.

    Returns:
        (3, M, F).
    """
    planes = table.reshape(3, resolution, resolution, -1).permute(0, 3, 1, 2)
    grid = (points * 2 - 1)[:, None]
    looked_up = F.grid_sample(planes, grid, "bilinear", "border", align_corners=True)
    return looked_up[:, :, 0].transpose(1, 2)


def triplane_encode(
    points: Tensor, table: Tensor, resolutions: Sequence[int], entries: int
) -> Tensor:
    """Multi-resolution tri-plane features; see :func:`nerf_talker.ops.triplane_encode`."""
    table = table.to(points.dtype) if table.dtype == torch.float16 else table
    projected = torch.stack([points[:, list(axes)] for axes in PLANE_AXES])
    sizes = level_sizes(resolutions, entries)
    levels = []
    for resolution, part in zip(resolutions, table.split(sizes, dim=1), strict=True):
        dense = part.shape[1] == resolution**2
        lookup = plane_dense if dense else grid_lookup
        levels.append(lookup(projected, part, resolution))
    encoded = torch.stack(levels)  # (L, 3, M, F)
    return encoded.permute(2, 1, 0, 3).flatten(1)


def grid_encode(
    points: Tensor, table: Tensor, resolutions: Sequence[int], entries: int, tiled: bool = False
) -> Tensor:
    """Multi-resolution features of one grid; see :func:`nerf_talker.ops.grid_encode`."""
    table = table.to(points.dtype) if table.dtype == torch.float16 else table
    sizes = level_sizes(resolutions, entries, points.shape[1])
    levels = [
        grid_lookup(points[None], part[None], resolution, tiled)[0]
        for resolution, part in zip(resolutions, table.split(sizes), strict=True)
    ]
    return torch.cat(levels, -1)


def level_sizes(resolutions: Sequence[int], limit: int, dimensions: int = 2) -> list[int]:
    """Entries of each level: the full lattice where it fits in ``limit``, else ``limit``."""
    return [min(resolution**dimensions, limit) for resolution in resolutions]
