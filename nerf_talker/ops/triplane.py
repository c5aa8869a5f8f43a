"""Tri-plane multi-resolution hash encoding (ER-NeRF 2023 §3.2 on instant-ngp's grids)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for_table
from nerf_talker.ops.checks import check_shape, check_table, single
from nerf_talker.ops.grid import geometric_resolutions
from nerf_talker.ops.register import operators


@dataclass(frozen=True)
class GridLayout:
    """How the three planes are stored.

    Attributes:
        resolutions: Lattice corners along an edge, one per level, coarse to fine.
        entries: Most entries a level may hold; finer lattices are hashed into it.
        features: Values per entry.
    """

    resolutions: tuple[int, ...]
    entries: int
    features: int

    @classmethod
    def geometric(
        cls, levels: int, base: int, finest: int, log2_entries: int, features: int
    ) -> GridLayout:
        """Resolutions in geometric progression from ``base`` to ``finest``."""
        return cls(geometric_resolutions(levels, base, finest), 2**log2_entries, features)

    @property
    def table_shape(self) -> tuple[int, int, int]:
        """(3, entries of all levels, features)."""
        sizes = reference.level_sizes(self.resolutions, self.entries)
        return 3, sum(sizes), self.features

    @property
    def width(self) -> int:
        """Length of an encoded point: planes x levels x features."""
        return 3 * len(self.resolutions) * self.features


def triplane_encode(points: Tensor, table: Tensor, layout: GridLayout) -> Tensor:
    """Encode points by bilinear lookup in three planes at every level.

    Args:
        points: (M, 3) in [0, 1]; outside, the border value is used.
        table: ``layout.table_shape``; float16 is read as it is stored, which halves the memory.
        layout: Sizes of the levels.

    Returns:
        (M, layout.width), plane-major, then level, then feature; differentiable in points
        and table.

    Raises:
        ValueError: A shape, dtype or device does not fit.
    """
    check_shape("triplane_encode", "points", points, None, 3)
    check_shape("triplane_encode", "table", table, *layout.table_shape)
    points = single(points)
    check_table("triplane_encode", points, table)
    # A level of one corner has no cell to interpolate in; only grid_sample knows how.
    native = library_for_table(points, table) if min(layout.resolutions, default=2) > 1 else None
    with torch.autocast(points.device.type, enabled=False):
        if native is None:
            return reference.triplane_encode(points, table, layout.resolutions, layout.entries)
        encode = operators().triplane_encode
        return encode(points, table, list(layout.resolutions), layout.entries)
