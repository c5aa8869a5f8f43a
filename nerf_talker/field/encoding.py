"""What a place in the head's volume looks up: three planes, or a grid in space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from nerf_talker.config import StrictModel
from nerf_talker.ops import GridLayout, LatticeLayout, grid_encode, triplane_encode

EncodingKind = Literal["triplane", "grid3d", "tiled3d"]


class TriPlaneConfig(StrictModel):
    """Sizes of the multi-resolution grid; the finest cell should match a pixel's footprint."""

    levels: int = Field(default=12, ge=1, le=32)
    base: int = Field(default=16, ge=2)
    finest: int = Field(default=400, ge=2)
    log2_entries: int = Field(default=18, ge=1, le=26)
    features: int = Field(default=2, ge=1, le=8)


@dataclass(frozen=True)
class Encoding:
    """One kind of lookup; the table that it reads belongs to the field.

    ``triplane``: three planes of hashed 2-D grids (ER-NeRF, Li et al. 2023). ``grid3d``: one hashed
    grid in space (instant-ngp, Müller et al. 2022). ``tiled3d``: the same with indices that wrap
    around where a level does not fit (RAD-NeRF, Tang et al. 2022).

    Attributes:
        layout: Sizes of the levels.
    """

    layout: GridLayout | LatticeLayout

    @classmethod
    def of(cls, kind: EncodingKind, sizes: TriPlaneConfig) -> Encoding:
        """An encoding of the wanted kind and sizes."""
        levels = (sizes.levels, sizes.base, sizes.finest, sizes.log2_entries, sizes.features)
        if kind == "triplane":
            return cls(GridLayout.geometric(*levels))
        return cls(LatticeLayout.geometric(*levels, tiled=kind == "tiled3d"))

    @property
    def width(self) -> int:
        """Length of an encoded point."""
        return self.layout.width

    def fresh_table(self) -> nn.Parameter:
        """A table that tells nothing yet: uniform in +-1e-4."""
        return fresh_table(self.layout)

    def __call__(self, unit: Tensor, table: Tensor) -> Tensor:
        """(M, width) features of (M, 3) points in [0, 1], the border value outside."""
        if isinstance(self.layout, GridLayout):
            return triplane_encode(unit, table, self.layout)
        return grid_encode(unit, table, self.layout)


def fresh_table(layout: GridLayout | LatticeLayout) -> nn.Parameter:
    """The table of an untrained grid: uniform in +-1e-4 (Müller et al. 2022)."""
    return nn.Parameter(torch.empty(layout.table_shape).uniform_(-1e-4, 1e-4))
