"""Which parts the head field is composed of, and their sizes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nerf_talker.config import StrictModel
from nerf_talker.field.conditioning import Conditioner, Fusion, LandmarkGridConfig
from nerf_talker.field.encoding import EncodingKind, TriPlaneConfig


class HeadFieldConfig(StrictModel):
    """Parts and sizes of the head field.

    ``motion`` is the largest displacement in metres, 0 turns it off. ``region_prior`` is how much
    gates are drawn to the region of the face they belong to, in units of its log odds; 0 leaves
    that to the training's ``gate_sparsity``. ``backend``: our own grid and torch's layers, or
    tiny-cuda-nn's on a CUDA GPU.
    """

    backend: Literal["native", "tinycudann"] = "native"
    encoding: EncodingKind = "triplane"
    grid: TriPlaneConfig = TriPlaneConfig()
    conditioners: tuple[Conditioner, ...] = ("mouth", "expression")
    landmarks: LandmarkGridConfig = LandmarkGridConfig()
    fusion: tuple[Fusion, ...] = ("gated",)
    hidden: int = 64
    geometry: int = 64
    gate_hidden: int = 32
    film_hidden: int = Field(default=128, gt=0)
    region_prior: float = Field(default=0.0, ge=0)
    appearance: int = 4
    motion: float = 0.012
    motion_hidden: int = 48

    @property
    def gated(self) -> tuple[bool, bool]:
        """Whether the mouth code, and whether the expression, passes a gate."""
        on = "gated" in self.fusion
        return on and "mouth" in self.conditioners, on and "expression" in self.conditioners

    @property
    def plain(self) -> bool:
        """Whether this is the composition that runs in one native call."""
        parts = (self.encoding, self.fusion, set(self.conditioners), self.region_prior)
        return parts == ("triplane", ("gated",), {"mouth", "expression"}, 0)

    @model_validator(mode="after")
    def _parts_fit(self) -> HeadFieldConfig:
        for name in ("conditioners", "fusion"):
            chosen = getattr(self, name)
            if not chosen or len(set(chosen)) < len(chosen):
                raise ValueError(f"{name} names each part once, and at least one")
        if not {"mouth", "landmarks"} & set(self.conditioners):
            raise ValueError("conditioners needs mouth or landmarks, or the lips never move")
        if "landmarks" in self.conditioners and self.fusion == ("gated",):
            raise ValueError("the landmarks conditioner needs concat or film in fusion")
        if "gated" in self.fusion and not any(self.gated):
            raise ValueError("the gated fusion needs mouth or expression in conditioners")
        if self.region_prior and "gated" not in self.fusion:
            raise ValueError("region_prior draws gates, so it needs gated in fusion")
        if self.backend == "tinycudann" and not self.plain:
            raise ValueError("backend tinycudann knows three planes with gates only")
        return self
