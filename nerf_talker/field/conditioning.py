"""What drives the head, and how it reaches the field's networks.

A field listens to the mouth code, the upper-face expression, or the 3-D landmarks of the mouth.
All are functions of one :class:`HeadCondition`, so a clip's landmarks and the audio encoder drive
every kind of field alike: landmarks are those that the mouth code stands for, which holds them to
the range seen in training and gives speech a face to show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from nerf_talker.config import StrictModel
from nerf_talker.field.encoding import fresh_table
from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode
from nerf_talker.field.networks import mlp, start_at_zero
from nerf_talker.ops import LatticeLayout, landmark_encode
from nerf_talker.types import BoolArray, FloatArray

Conditioner = Literal["mouth", "expression", "landmarks"]
Fusion = Literal["concat", "gated", "film"]

# Where the trained landmarks lie in the landmark grid: what lies beyond still has cells.
RANGE = (0.1, 0.9)


@dataclass(frozen=True)
class HeadCondition:
    """What drives the field, one row per driven frame.

    Attributes:
        mouth: (T, C) mouth code.
        expression: (T, E) upper-face expression.
        appearance: (T, A) appearance code.
    """

    mouth: Tensor
    expression: Tensor
    appearance: Tensor


class LandmarkGridConfig(StrictModel):
    """Sizes of the grid that landmarks look up; R2-Talker's."""

    levels: int = Field(default=16, ge=1, le=32)
    base: int = Field(default=32, ge=2)
    finest: int = Field(default=2048, ge=2)
    log2_entries: int = Field(default=16, ge=1, le=24)
    features: int = Field(default=2, ge=1, le=8)


class LandmarkGrid(nn.Module):
    """Hash-grid features of the mouth's canonical landmarks (R2-Talker, Ye et al. 2023).

    Landmarks are normalised per identity: the box around those of the training frames fills
    ``RANGE`` along every axis.
    """

    centre: Tensor
    basis: Tensor
    limit: Tensor

    def __init__(self, config: LandmarkGridConfig, codes: int) -> None:
        """``codes`` is C, the width of the mouth code that landmarks are read from."""
        super().__init__()
        self.layout = LatticeLayout.geometric(
            config.levels,
            config.base,
            config.finest,
            config.log2_entries,
            config.features,
            tiled=True,
        )
        self.table = fresh_table(self.layout)
        coordinates = 3 * len(MOUTH_POINTS)
        self.register_buffer("centre", torch.full((coordinates,), 0.5))
        self.register_buffer("basis", torch.zeros(codes, coordinates))
        self.register_buffer("limit", torch.tensor(1.0))

    @property
    def width(self) -> int:
        """Length of the features of one frame."""
        return len(MOUTH_POINTS) * self.layout.width

    @torch.no_grad()
    def fit(self, mouth: MouthCode, landmarks: FloatArray, valid: BoolArray) -> None:
        """Take over a fitted mouth code, and the range of its training landmarks.

        Args:
            mouth: Fitted to the same landmarks.
            landmarks: (F, K, 3) canonical mouth landmarks of the training frames, metres.
            valid: (F,) frames to fit to.
        """
        points = torch.from_numpy(landmarks[valid]).to(mouth.mean).reshape(-1, 3)
        low, high = points.amin(0), points.amax(0)
        scale = (RANGE[1] - RANGE[0]) / (high - low).clamp_min(1e-4)
        middle = (RANGE[0] + RANGE[1]) / 2
        at_rest = (mouth.mean.reshape(-1, 3) - (low + high) / 2) * scale + middle
        self.centre.copy_(at_rest.flatten())
        self.basis.copy_(mouth.basis * mouth.scale[:, None] * scale.repeat(len(MOUTH_POINTS)))
        self.limit.fill_(mouth.limit)

    def landmarks(self, code: Tensor) -> Tensor:
        """(T, K, 3) landmarks in the grid's [0, 1] that (T, C) mouth codes stand for."""
        free = self.limit * torch.atanh((code / self.limit).clamp(-0.999, 0.999))
        return (free @ self.basis + self.centre).reshape(len(code), -1, 3)

    def forward(self, code: Tensor) -> Tensor:
        """(T, width) features of the landmarks of (T, C) mouth codes."""
        return landmark_encode(self.landmarks(code), self.table, self.layout)


class FilmNetwork(nn.Module):
    """Scale and shift of hidden layers from what a frame brings (Perez et al. 2018).

    R2-Talker modulates the two hidden layers of its density network so; here the colour network's
    hidden layer too.
    """

    def __init__(self, inputs: int, hidden: int, widths: tuple[int, ...]) -> None:
        """``widths`` are those of the hidden layers; a fresh network leaves them as they are."""
        super().__init__()
        self.widths = widths
        self.net = mlp(inputs, hidden, hidden, 2 * sum(widths))
        start_at_zero(self.net)

    def forward(self, codes: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(T, H) scale and (T, H) shift of each layer from (T, I) codes."""
        changes = self.net(codes).split([2 * width for width in self.widths], -1)
        return [change.chunk(2, -1) for change in changes]  # type: ignore[misc]
