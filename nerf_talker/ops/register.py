"""The native operators as ``torch.ops.nerf_talker.*``: kernels, fake kernels and gradients.

Registered on the first call of :func:`operators`, so that importing the package stays free. The
public functions check their arguments; here they are only made contiguous.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nerf_talker.errors import BackendError
from nerf_talker.ops import reference, register_rays
from nerf_talker.ops.abi import NativeLibrary
from nerf_talker.ops.backend import library_for

NAMESPACE = "nerf_talker"

Kernel = Callable[..., Any]


@functools.cache
def operators() -> Any:
    """``torch.ops.nerf_talker`` with every operator registered."""
    library = torch.library.Library(NAMESPACE, "DEF")
    for schema, kernel, fake in (*_OPERATORS, *register_rays.OPERATORS):
        name = schema.split("(")[0]
        library.define(schema)
        for device in ("CPU", "CUDA"):
            library.impl(name, _with_library(kernel), device)
        torch.library.register_fake(f"{NAMESPACE}::{name}", fake, lib=library)
    for name, (save, backward) in {**_GRADIENTS, **register_rays.GRADIENTS}.items():
        torch.library.register_autograd(
            f"{NAMESPACE}::{name}", backward, setup_context=save, lib=library
        )
    operators_kept.append(library)
    return getattr(torch.ops, NAMESPACE)


operators_kept: list[torch.library.Library] = []
"""A registration ends with its Library object."""


def _with_library(kernel: Kernel) -> Kernel:
    """Give a kernel the library of its first tensor's device."""

    @functools.wraps(kernel)
    def run(*given: Any) -> Any:
        library = library_for(given[0])
        if library is None:
            name = kernel.__name__.lstrip("_")
            raise BackendError(f"{name}: no native back-end for {given[0].dtype} here")
        return kernel(library, *given)

    return run


@functools.cache
def _levels(resolutions: tuple[int, ...], limit: int) -> tuple[Any, Any, Any, int]:
    """Resolution, first entry and entries of every level as C arrays, and all entries."""
    sizes = reference.level_sizes(resolutions, limit)
    array = ctypes.c_int32 * len(sizes)
    first = [sum(sizes[:level]) for level in range(len(sizes))]
    return array(*resolutions), array(*first), array(*sizes), sum(sizes)


def _encode(
    library: NativeLibrary, points: Tensor, table: Tensor, resolutions: Sequence[int], limit: int
) -> Tensor:
    points, table = points.contiguous(), table.contiguous()
    *levels, entries = _levels(tuple(resolutions), limit)
    encoded = _encode_fake(points, table, resolutions, limit)
    sizes = (len(resolutions), table.shape[2], entries, len(points))
    library.call("triplane_encode", points.dtype, points, table, *levels, *sizes, encoded)
    return encoded


def _encode_fake(points: Tensor, table: Tensor, resolutions: Sequence[int], limit: int) -> Tensor:
    return points.new_empty(points.shape[0], 3 * len(resolutions) * table.shape[2])


def _encode_backward(
    library: NativeLibrary,
    gradient: Tensor,
    points: Tensor,
    table: Tensor,
    resolutions: Sequence[int],
    limit: int,
    to_points: bool,
    to_table: bool,
) -> tuple[Tensor, Tensor]:
    gradient, points, table = gradient.contiguous(), points.contiguous(), table.contiguous()
    *levels, entries = _levels(tuple(resolutions), limit)
    d_points, d_table = _encode_backward_fake(
        gradient, points, table, resolutions, limit, to_points, to_table
    )
    library.call(
        "triplane_encode_backward",
        points.dtype,
        *(gradient, points, table, *levels),
        *(len(resolutions), table.shape[2], entries, len(points)),
        d_table if to_table else None,
        d_points if to_points else None,
    )
    return d_points, d_table


def _encode_backward_fake(
    gradient: Tensor,
    points: Tensor,
    table: Tensor,
    resolutions: Sequence[int],
    limit: int,
    to_points: bool,
    to_table: bool,
) -> tuple[Tensor, Tensor]:
    d_points = points.new_empty(points.shape if to_points else (0,))
    return d_points, table.new_empty(table.shape if to_table else (0,))


def _save_encode(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    points, table, ctx.resolutions, ctx.limit = inputs
    ctx.save_for_backward(points, table)


def _encode_gradient(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    points, table = ctx.saved_tensors
    to_points, to_table = ctx.needs_input_grad[:2]
    d_points, d_table = operators().triplane_encode_backward(
        gradient, points, table, ctx.resolutions, ctx.limit, to_points, to_table
    )
    return d_points if to_points else None, d_table if to_table else None, None, None


def _harmonics(library: NativeLibrary, directions: Tensor) -> Tensor:
    directions = directions.contiguous()
    values = _harmonics_fake(directions)
    library.call("sh", directions.dtype, directions, len(directions), values)
    return values


def _harmonics_fake(directions: Tensor) -> Tensor:
    return directions.new_empty(directions.shape[0], 16)


def _harmonics_backward(library: NativeLibrary, gradient: Tensor, directions: Tensor) -> Tensor:
    gradient, directions = gradient.contiguous(), directions.contiguous()
    found = torch.empty_like(directions)
    count = len(directions)
    library.call("sh_backward", directions.dtype, gradient, directions, count, found)
    return found


def _harmonics_backward_fake(gradient: Tensor, directions: Tensor) -> Tensor:
    return directions.new_empty(directions.shape)


def _save_harmonics(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _harmonics_gradient(ctx: Any, gradient: Tensor) -> Tensor:
    return operators().spherical_harmonics_backward(gradient, *ctx.saved_tensors)


_OPERATORS: tuple[tuple[str, Kernel, Kernel], ...] = (
    (
        "triplane_encode(Tensor points, Tensor table, int[] resolutions, int entries) -> Tensor",
        _encode,
        _encode_fake,
    ),
    (
        "triplane_encode_backward(Tensor gradient, Tensor points, Tensor table, int[] resolutions,"
        " int entries, bool to_points, bool to_table) -> (Tensor, Tensor)",
        _encode_backward,
        _encode_backward_fake,
    ),
    ("spherical_harmonics(Tensor directions) -> Tensor", _harmonics, _harmonics_fake),
    (
        "spherical_harmonics_backward(Tensor gradient, Tensor directions) -> Tensor",
        _harmonics_backward,
        _harmonics_backward_fake,
    ),
)

_GRADIENTS: dict[str, tuple[Kernel, Kernel]] = {
    "triplane_encode": (_save_encode, _encode_gradient),
    "spherical_harmonics": (_save_harmonics, _harmonics_gradient),
}
