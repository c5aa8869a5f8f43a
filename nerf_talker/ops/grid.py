"""Multi-resolution grid encoding in two and three dimensions (instant-ngp, Müller et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for_table
from nerf_talker.ops.checks import check_shape, check_table, single
from nerf_talker.ops.register import operators

DIMENSIONS = (2, 3)

Pool = Literal["concat", "mean"]


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
        table: ``layout.table_shape``; float16 is read as it is stored, which halves the memory.
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
    points = single(points)
    check_table("grid_encode", points, table)
    given = (points, table, layout.resolutions, layout.entries, layout.tiled)
    with torch.autocast(points.device.type, enabled=False):
        if library_for_table(points, table) is None:
            return reference.grid_encode(*given)
        return operators().grid_encode(*given)


LANDMARK_LAYOUT = LatticeLayout.geometric(16, 32, 2048, 16, 2, tiled=True)
"""R2-Talker's landmark grid: 32 values a landmark, 2.04 M in the table."""


def landmark_encode(
    landmarks: Tensor, table: Tensor, layout: LatticeLayout, pool: Pool = "concat"
) -> Tensor:
    """Encode the landmarks of each frame by one grid over space (R2-Talker, Ye et al. 2023).

    A landmark is a point, so its place among the grid's corners says finely how the face is
    shaped; a network on the result sees motion that raw coordinates hide from it.

    Args:
        landmarks: (T, K, 3) in [0, 1], normalised per identity; outside, the border's value is
            used, so leave a margin.
        table: ``layout.table_shape``.
        layout: Of three dimensions; :data:`LANDMARK_LAYOUT` is the paper's.
        pool: ``concat`` keeps the landmarks apart, as the paper does; ``mean`` averages them,
            which forgets which landmark lies where.

    Returns:
        (T, K * layout.width), landmark by landmark, or (T, layout.width) for the mean;
        differentiable in landmarks and table.

    Raises:
        ValueError: A shape, dtype or device does not fit, or there is no such pool.
    """
    if pool not in get_args(Pool):
        known = " or ".join(get_args(Pool))
        raise ValueError(f"landmark_encode: pool is {pool!r}, needs {known}")
    check_shape("landmark_encode", "landmarks", landmarks, None, None, 3)
    frames, count, _ = landmarks.shape
    encoded = grid_encode(landmarks.reshape(-1, 3), table, layout)
    encoded = encoded.reshape(frames, count, layout.width)
    return encoded.mean(1) if pool == "mean" else encoded.flatten(1)
