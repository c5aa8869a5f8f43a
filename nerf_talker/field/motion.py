"""A motion field that deforms canonical space around the mouth before the lookup."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nerf_talker.field.networks import linear_layers, mlp, run_layers, start_at_zero
from nerf_talker.ops.checks import single
from nerf_talker.ops.cuda_fused import Layers

OCTAVES = 3
POSITION = 3 + 2 * 3 * OCTAVES
"""Inputs that describe a place; the mouth code follows them."""


class MotionField(nn.Module):
    """Displacement of the lower face as a function of place and mouth code (Park et al. 2021).

    Confined by a smooth window: full strength at the mouth, none above the nose or behind the jaw.
    """

    centre: Tensor
    radius: Tensor

    def __init__(
        self, codes: int, hidden: int, largest: float, centre: Tensor, radius: Tensor
    ) -> None:
        """Window ``centre`` and ``radius`` are (3,) metres in canonical head space."""
        super().__init__()
        self.largest = largest
        self.register_buffer("centre", centre)
        self.register_buffer("radius", radius)
        self.net = mlp(POSITION + codes, hidden, hidden, 3)
        start_at_zero(self.net)

    def forward(self, points: Tensor, mouth: Tensor) -> Tensor:
        """(M, 3) metres to add to ``points`` (M, 3), given (M, C) mouth codes."""
        window, place = self._place(points)
        moved = single(self.net(torch.cat([place, mouth], -1)))
        return self.largest * window * torch.tanh(moved)

    def folded(self, mouth: Tensor) -> Layers:
        """The layers for one frame's (C,) mouth code; they read the place alone."""
        (weight, bias), *rest = linear_layers(self.net)
        return [(weight[:, :POSITION], bias + weight[:, POSITION:] @ mouth), *rest]

    def moved_by(self, points: Tensor, layers: Layers) -> Tensor:
        """(M, 3) metres to add to ``points`` (M, 3) by layers of :meth:`folded`."""
        window, place = self._place(points)
        return self.largest * window * torch.tanh(single(run_layers(layers, place)))

    def _place(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(M, 1) strength of the window, and (M, 21) inputs that say where a point is."""
        local = (points - self.centre) / self.radius
        window = (1 - (local**2).sum(-1, keepdim=True)).clamp_min(0)
        window = window * window * (3 - 2 * window)
        angles = torch.cat([local * (torch.pi * 2**octave) for octave in range(OCTAVES)], -1)
        return window, torch.cat([local, angles.sin(), angles.cos()], -1)
