"""The fused head field against its layers one by one: a case of the doctor's self-test."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor

from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig, TriPlaneConfig

RAYS, SAMPLES, FRAMES = 8, 12, 2


def draw(generator: torch.Generator) -> tuple[Tensor, ...]:
    """Mouth codes, expressions and appearances of two frames, the table, points, directions."""
    field = _field()
    count = RAYS * SAMPLES
    table = torch.randn(field.layout.table_shape, generator=generator) * 0.1
    directions = torch.randn(RAYS, 3, generator=generator)
    return (
        torch.randn(FRAMES, 16, generator=generator),
        torch.randn(FRAMES, 9, generator=generator),
        torch.randn(FRAMES, 4, generator=generator),
        table,
        torch.rand(count, 3, generator=generator) * 0.2 - 0.1,
        torch.nn.functional.normalize(directions, dim=-1),
    )


def fused(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Density, colour and gates as training computes them here."""
    return _evaluate(given, "forward")


def layers(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The same by torch's own layers."""
    return _evaluate(given, "_layer_by_layer")


def _evaluate(given: Sequence[Tensor], method: str) -> tuple[Tensor, ...]:
    mouth, expression, appearance, table, points, directions = given
    field = _field().to(points)
    ray = torch.arange(RAYS, device=points.device).repeat_interleave(SAMPLES)

    class Called(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.field = field

        def forward(self) -> tuple[Tensor, ...]:
            condition = HeadCondition(mouth, expression, appearance)
            frame = ray % FRAMES
            found = getattr(self.field, method)(points, directions, condition, ray, frame)
            return found.density, found.rgb, found.features

    return torch.func.functional_call(Called(), {"field.table": table}, ())


def _field() -> HeadField:
    """A small field with the same weights at every call."""
    box = torch.tensor([[-0.12, -0.12, -0.12], [0.12, 0.12, 0.12]])
    mouth = torch.tensor([[0.0, 0.05, 0.0], [0.08, 0.08, 0.08]])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        grid = TriPlaneConfig(levels=3, base=8, finest=32, log2_entries=12)
        field = HeadField(HeadFieldConfig(grid=grid, hidden=32, geometry=32), 16, 9, box, mouth)
        # A fresh field moves nothing; here every layer is to take part.
        for value in field.parameters():
            torch.nn.init.normal_(value, std=0.15)
    return field
