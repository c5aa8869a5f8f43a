"""The native operators as ``torch.ops.nerf_talker.*``: kernels, fake kernels and gradients.

Registered on the first call of :func:`operators`, so that importing the package stays free. The
public functions check their arguments; here they are only made contiguous.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nerf_talker.errors import BackendError
from nerf_talker.ops import register_grid, register_rays
from nerf_talker.ops.abi import NativeLibrary
from nerf_talker.ops.backend import library_for

NAMESPACE = "nerf_talker"

Kernel = Callable[..., Any]


@functools.cache
def operators() -> Any:
    """``torch.ops.nerf_talker`` with every operator registered."""
    library = torch.library.Library(NAMESPACE, "DEF")
    for schema, kernel, fake in (
        *_OPERATORS,
        *register_grid.OPERATORS,
        *register_rays.OPERATORS,
    ):
        name = schema.split("(")[0]
        library.define(schema)
        for device in ("CPU", "CUDA"):
            library.impl(name, _with_library(kernel), device)
        torch.library.register_fake(f"{NAMESPACE}::{name}", fake, lib=library)
    gradients = {**_GRADIENTS, **register_grid.GRADIENTS, **register_rays.GRADIENTS}
    for name, (save, backward) in gradients.items():
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
    ("spherical_harmonics(Tensor directions) -> Tensor", _harmonics, _harmonics_fake),
    (
        "spherical_harmonics_backward(Tensor gradient, Tensor directions) -> Tensor",
        _harmonics_backward,
        _harmonics_backward_fake,
    ),
)

_GRADIENTS: dict[str, tuple[Kernel, Kernel]] = {
    "spherical_harmonics": (_save_harmonics, _harmonics_gradient),
}
