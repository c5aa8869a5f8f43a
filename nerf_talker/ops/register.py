"""The native operators as ``torch.ops.nerf_talker.*``: kernels, fake kernels and gradients.

Registered on the first call of :func:`operators`, so that importing the package stays free. The
public functions check their arguments; here they are only made contiguous.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from nerf_talker.errors import BackendError
from nerf_talker.ops import (
    register_distortion,
    register_encodings,
    register_field,
    register_grid,
    register_rays,
)
from nerf_talker.ops.backend import library_for

NAMESPACE = "nerf_talker"

PARTS = (register_distortion, register_encodings, register_field, register_grid, register_rays)
"""Each lists its OPERATORS (schema, kernel, fake kernel) and GRADIENTS (what to keep, backward)."""

Kernel = Callable[..., Any]


@functools.cache
def operators() -> Any:
    """``torch.ops.nerf_talker`` with every operator registered."""
    library = torch.library.Library(NAMESPACE, "DEF")
    for schema, kernel, fake in (entry for part in PARTS for entry in part.OPERATORS):
        name = schema.split("(")[0]
        library.define(schema)
        for device in ("CPU", "CUDA"):
            library.impl(name, _with_library(kernel), device)
        torch.library.register_fake(f"{NAMESPACE}::{name}", fake, lib=library)
    for name, (save, backward) in (pair for part in PARTS for pair in part.GRADIENTS.items()):
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
