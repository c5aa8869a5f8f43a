"""Kernels, fake kernels and gradients of the grid encodings; see ``register.py``."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.abi import NativeLibrary


@functools.cache
def level_arrays(
    resolutions: tuple[int, ...], limit: int, dimensions: int = 2
) -> tuple[Any, Any, Any, int]:
    """Resolution, first entry and entries of every level as C arrays, and all entries."""
    sizes = reference.level_sizes(resolutions, limit, dimensions)
    array = ctypes.c_int32 * len(sizes)
    first = [sum(sizes[:level]) for level in range(len(sizes))]
    return array(*resolutions), array(*first), array(*sizes), sum(sizes)


def _triplane(
    library: NativeLibrary, points: Tensor, table: Tensor, resolutions: Sequence[int], limit: int
) -> Tensor:
    points, table = points.contiguous(), table.contiguous()
    *levels, entries = level_arrays(tuple(resolutions), limit)
    encoded = _triplane_fake(points, table, resolutions, limit)
    sizes = (len(resolutions), table.shape[2], entries, len(points))
    library.call(
        _named("triplane_encode", table), points.dtype, points, table, *levels, *sizes, encoded
    )
    return encoded


def _triplane_fake(points: Tensor, table: Tensor, resolutions: Sequence[int], limit: int) -> Tensor:
    return points.new_empty(points.shape[0], 3 * len(resolutions) * table.shape[2])


def _triplane_backward(
    library: NativeLibrary,
    gradient: Tensor,
    points: Tensor,
    table: Tensor,
    resolutions: Sequence[int],
    limit: int,
    to_points: bool,
    to_table: bool,
) -> tuple[Tensor, Tensor]:
    given = [value.contiguous() for value in (gradient, points, table)]
    *levels, entries = level_arrays(tuple(resolutions), limit)
    d_points, d_table = _gradients(points, table, to_points, to_table)
    sizes = (len(resolutions), table.shape[2], entries, len(points))
    found = (d_table if to_table else None, d_points if to_points else None)
    name = _named("triplane_encode_backward", table)
    library.call(name, points.dtype, *given, *levels, *sizes, *found)
    return d_points, d_table


def _triplane_backward_fake(
    gradient: Tensor,
    points: Tensor,
    table: Tensor,
    resolutions: Sequence[int],
    limit: int,
    to_points: bool,
    to_table: bool,
) -> tuple[Tensor, Tensor]:
    return _gradients(points, table, to_points, to_table)


def _grid(
    library: NativeLibrary,
    points: Tensor,
    table: Tensor,
    resolutions: Sequence[int],
    limit: int,
    tiled: bool,
) -> Tensor:
    points, table = points.contiguous(), table.contiguous()
    *levels, entries = level_arrays(tuple(resolutions), limit, points.shape[1])
    encoded = _grid_fake(points, table, resolutions, limit, tiled)
    kind = (points.shape[1], int(tiled), len(resolutions), table.shape[1])
    sizes = (*kind, entries, len(points))
    name = _named("grid_encode", table)
    library.call(name, points.dtype, points, table, *levels, *sizes, encoded)
    return encoded


def _grid_fake(
    points: Tensor, table: Tensor, resolutions: Sequence[int], limit: int, tiled: bool
) -> Tensor:
    return points.new_empty(points.shape[0], len(resolutions) * table.shape[1])


def _grid_backward(
    library: NativeLibrary,
    gradient: Tensor,
    points: Tensor,
    table: Tensor,
    resolutions: Sequence[int],
    limit: int,
    tiled: bool,
    to_points: bool,
    to_table: bool,
) -> tuple[Tensor, Tensor]:
    given = [value.contiguous() for value in (gradient, points, table)]
    *levels, entries = level_arrays(tuple(resolutions), limit, points.shape[1])
    d_points, d_table = _gradients(points, table, to_points, to_table)
    kind = (points.shape[1], int(tiled), len(resolutions), table.shape[1])
    found = (d_table if to_table else None, d_points if to_points else None)
    sizes = (*kind, entries, len(points))
    name = _named("grid_encode_backward", table)
    library.call(name, points.dtype, *given, *levels, *sizes, *found)
    return d_points, d_table


def _grid_backward_fake(
    gradient: Tensor,
    points: Tensor,
    table: Tensor,
    resolutions: Sequence[int],
    limit: int,
    tiled: bool,
    to_points: bool,
    to_table: bool,
) -> tuple[Tensor, Tensor]:
    return _gradients(points, table, to_points, to_table)


def _named(name: str, table: Tensor) -> str:
    """The C function for what the table is stored in."""
    return f"{name}_half" if table.dtype == torch.float16 else name


def _gradients(
    points: Tensor, table: Tensor, to_points: bool, to_table: bool
) -> tuple[Tensor, Tensor]:
    """Room for both gradients in the points' dtype, empty for one that nobody asked for."""
    d_points = points.new_empty(points.shape if to_points else (0,))
    return d_points, points.new_empty(table.shape if to_table else (0,))


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    points, table, *ctx.how = inputs
    ctx.save_for_backward(points, table)


def _gradient_by(name: str) -> Callable[..., tuple[Any, ...]]:
    """The gradient of an encoding from its backward operator."""

    def gradient(ctx: Any, incoming: Tensor) -> tuple[Any, ...]:
        to_points, to_table = ctx.needs_input_grad[:2]
        backward = getattr(torch.ops.nerf_talker, name)
        d_points, d_table = backward(incoming, *ctx.saved_tensors, *ctx.how, to_points, to_table)
        table = ctx.saved_tensors[1]
        found = (d_points if to_points else None, d_table.to(table.dtype) if to_table else None)
        return (*found, *(None for _ in ctx.how))

    return gradient


_TRIPLANE = "Tensor points, Tensor table, int[] resolutions, int entries"
_ASKED = "bool to_points, bool to_table"

OPERATORS: tuple[tuple[str, Callable[..., Any], Callable[..., Any]], ...] = (
    (f"triplane_encode({_TRIPLANE}) -> Tensor", _triplane, _triplane_fake),
    (
        f"triplane_encode_backward(Tensor gradient, {_TRIPLANE}, {_ASKED}) -> (Tensor, Tensor)",
        _triplane_backward,
        _triplane_backward_fake,
    ),
    (f"grid_encode({_TRIPLANE}, bool tiled) -> Tensor", _grid, _grid_fake),
    (
        f"grid_encode_backward(Tensor gradient, {_TRIPLANE}, bool tiled, {_ASKED})"
        " -> (Tensor, Tensor)",
        _grid_backward,
        _grid_backward_fake,
    ),
)

GRADIENTS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "triplane_encode": (_save, _gradient_by("triplane_encode_backward")),
    "grid_encode": (_save, _gradient_by("grid_encode_backward")),
}
