"""Exponential moving average of a module's parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Averages parameters; ``state`` maps parameter names to averaged tensors."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        """Start from the module's present parameters."""
        self.decay = decay
        self.state: dict[str, Tensor] = {
            name: value.detach().clone() for name, value in module.named_parameters()
        }

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module's parameters."""
        for name, value in module.named_parameters():
            self.state[name].lerp_(value, 1 - self.decay)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Give the module the averaged parameters."""
        for name, value in module.named_parameters():
            value.copy_(self.state[name])

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """The module with averaged parameters for the length of a ``with`` block."""
        own = {name: value.detach().clone() for name, value in module.named_parameters()}
        self.copy_to(module)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in module.named_parameters():
                    value.copy_(own[name])
