"""Kernels, fake kernels and gradients of encodings of single vectors; see ``register.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nerf_talker.ops.abi import NativeLibrary


def _harmonics(library: NativeLibrary, directions: Tensor, degree: int) -> Tensor:
    directions = directions.contiguous()
    values = _harmonics_fake(directions, degree)
    library.call("sh", directions.dtype, directions, degree, len(directions), values)
    return values


def _harmonics_fake(directions: Tensor, degree: int) -> Tensor:
    return directions.new_empty(directions.shape[0], degree**2)


def _harmonics_backward(
    library: NativeLibrary, gradient: Tensor, directions: Tensor, degree: int
) -> Tensor:
    gradient, directions = gradient.contiguous(), directions.contiguous()
    found = torch.empty_like(directions)
    sizes = (degree, len(directions))
    library.call("sh_backward", directions.dtype, gradient, directions, *sizes, found)
    return found


def _harmonics_backward_fake(gradient: Tensor, directions: Tensor, degree: int) -> Tensor:
    return directions.new_empty(directions.shape)


def _save_harmonics(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    directions, ctx.degree = inputs
    ctx.save_for_backward(directions)


def _harmonics_gradient(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
    backward = torch.ops.nerf_talker.spherical_harmonics_backward
    return backward(gradient, *ctx.saved_tensors, ctx.degree), None


def _frequency(library: NativeLibrary, points: Tensor, octaves: int, identity: bool) -> Tensor:
    points = points.contiguous()
    encoded = _frequency_fake(points, octaves, identity)
    plan = (points.shape[1], octaves, int(identity), len(points))
    library.call("frequency", points.dtype, points, *plan, encoded)
    return encoded


def _frequency_fake(points: Tensor, octaves: int, identity: bool) -> Tensor:
    count, coordinates = points.shape
    return points.new_empty(count, coordinates * (2 * octaves + identity))


def _frequency_backward(
    library: NativeLibrary, gradient: Tensor, points: Tensor, octaves: int, identity: bool
) -> Tensor:
    gradient, points = gradient.contiguous(), points.contiguous()
    found = torch.empty_like(points)
    plan = (points.shape[1], octaves, int(identity), len(points))
    library.call("frequency_backward", points.dtype, gradient, points, *plan, found)
    return found


def _frequency_backward_fake(
    gradient: Tensor, points: Tensor, octaves: int, identity: bool
) -> Tensor:
    return points.new_empty(points.shape)


def _save_frequency(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    points, *ctx.plan = inputs
    ctx.save_for_backward(points)


def _frequency_gradient(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
    backward = torch.ops.nerf_talker.frequency_encode_backward
    return backward(gradient, *ctx.saved_tensors, *ctx.plan), None, None


OPERATORS: tuple[tuple[str, Callable[..., Any], Callable[..., Any]], ...] = (
    ("spherical_harmonics(Tensor directions, int degree) -> Tensor", _harmonics, _harmonics_fake),
    (
        "spherical_harmonics_backward(Tensor gradient, Tensor directions, int degree) -> Tensor",
        _harmonics_backward,
        _harmonics_backward_fake,
    ),
    (
        "frequency_encode(Tensor points, int octaves, bool identity) -> Tensor",
        _frequency,
        _frequency_fake,
    ),
    (
        "frequency_encode_backward(Tensor gradient, Tensor points, int octaves, bool identity)"
        " -> Tensor",
        _frequency_backward,
        _frequency_backward_fake,
    ),
)

GRADIENTS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "spherical_harmonics": (_save_harmonics, _harmonics_gradient),
    "frequency_encode": (_save_frequency, _frequency_gradient),
}
