"""Multi-resolution grid encoding in two and three dimensions (instant-ngp, Müller et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for
from nerf_talker.ops.checks import check_floating, check_shape, single
from nerf_talker.ops.register import operators

DIMENSIONS = (2, 3)


@dataclass(frozen=True)
class LatticeLayout:
    """How one grid is stored.

    Attributes:
        resolutions: Lattice corners along an edge, one per level, coarse to fine; at least 2.
        entries: Most entries a level may hold; what does not fit is hashed or wrapped into it.
        features: Values per entry.
        dimensions: Of the points, 2 or 3.
        tiled: Wrap the row-major index of a lattice that does not fit, instead of hashing it:
            neighbours stay neighbours, and distant parts share entries.
    """

    resolutions: tuple[int, ...]
    entries: int
    features: int
    dimensions: int = 3
    tiled: bool = False

    @classmethod
    def geometric(
        cls,
        levels: int,
        base: int,
        finest: int,
        log2_entries: int,
        features: int,
        dimensions: int = 3,
        tiled: bool = False,
    ) -> LatticeLayout:
        """Resolutions in geometric progression from ``base`` to ``finest``."""
        resolutions = geometric_resolutions(levels, base, finest)
        return cls(resolutions, 2**log2_entries, features, dimensions, tiled)

    @property
    def table_shape(self) -> tuple[int, int]:
        """(entries of all levels, features)."""
        sizes = reference.level_sizes(self.resolutions, self.entries, self.dimensions)
        return sum(sizes), self.features

    @property
    def width(self) -> int:
        """Length of an encoded point: levels x features."""
        return len(self.resolutions) * self.features


def geometric_resolutions(levels: int, base: int, finest: int) -> tuple[int, ...]:
    """Resolutions of ``levels`` levels in geometric progression from ``base`` to ``finest``."""
    growth = (finest / base) ** (1 / max(levels - 1, 1))
    return tuple(round(base * growth**level) for level in range(levels))


def grid_encode(points: Tensor, table: Tensor, layout: LatticeLayout) -> Tensor:
    """Encode points by multilinear lookup in a lattice at every level.

    Args:
        points: (M, D) in [0, 1]; outside, the border's value is used.
        table: ``layout.table_shape``.
        layout: Sizes of the levels.

    Returns:
        (M, layout.width), level-major; differentiable in points and table.

    Raises:
        ValueError: A shape, dtype or device does not fit, or the layout cannot be stored.
    """
    if layout.dimensions not in DIMENSIONS:
        raise ValueError(f"grid_encode: dimensions is {layout.dimensions}, needs 2 or 3")
    if min(layout.resolutions, default=0) < 2:
        raise ValueError(f"grid_encode: resolutions is {layout.resolutions}, needs at least 2 each")
    check_shape("grid_encode", "points", points, None, layout.dimensions)
    check_shape("grid_encode", "table", table, *layout.table_shape)
    points, table = single(points), single(table)
    check_floating("grid_encode", points=points, table=table)
    given = (points, table, layout.resolutions, layout.entries, layout.tiled)
    with torch.autocast(points.device.type, enabled=False):
        if library_for(points, table) is None:
            return reference.grid_encode(*given)
        return operators().grid_encode(*given)
