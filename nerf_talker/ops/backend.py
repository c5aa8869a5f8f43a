"""Which back-end runs an operator.

``NERF_TALKER_OPS`` names it: ``auto`` takes the native library on the processor and falls back to
the reference with one warning; a native name insists on it; ``reference`` is pure torch.
"""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from nerf_talker.errors import BackendError, ConfigError
from nerf_talker.ops import load
from nerf_talker.ops.abi import NativeLibrary


def _cuda() -> NativeLibrary:
    from nerf_talker.ops.cuda_kernels import cuda_library

    return cuda_library()


def _emulated() -> NativeLibrary:
    from nerf_talker.ops.cuda_kernels import emulated_library

    return emulated_library()


# Back-end: the type of the tensors it works on, and how its library is found. "emulated" runs the
# CUDA kernels on the processor, for tests only.
NATIVE: dict[str, tuple[str, Callable[[], NativeLibrary]]] = {
    "cpu": ("cpu", load.cpu_library),
    "cuda": ("cuda", _cuda),
    "emulated": ("cpu", _emulated),
}

# What ``auto`` trusts. The CUDA kernels have so far run in emulation only, never on a GPU: until a
# GPU has passed the tests they are taken when asked for by name, and torch's own operators else.
TRUSTED = ("cpu",)

_forced: list[str] = []


def wanted() -> str:
    """The back-end asked for.

    Raises:
        ConfigError: ``NERF_TALKER_OPS`` names none.
    """
    name = _forced[-1] if _forced else os.environ.get("NERF_TALKER_OPS") or "auto"
    if name not in ("auto", "reference", *NATIVE):
        known = ", ".join(("auto", "reference", *NATIVE))
        raise ConfigError(f"NERF_TALKER_OPS is {name!r}, needs one of {known}")
    return name


@contextlib.contextmanager
def using(name: str) -> Iterator[None]:
    """Ask for another back-end for a while."""
    _forced.append(name)
    try:
        yield
    finally:
        _forced.pop()


def library_for(*tensors: Tensor) -> NativeLibrary | None:
    """The library that runs an operator on these tensors; None for the reference.

    Raises:
        BackendError: A back-end that was asked for by name cannot be had.
    """
    name = wanted()
    device, dtype = tensors[0].device.type, tensors[0].dtype
    if name == "reference" or any(tensor.dtype != dtype for tensor in tensors):
        return None
    if name == "auto":
        name = device
        if name not in TRUSTED:
            return None
        library, fault = _found(name)
        if library is None:
            _warn(f"{fault}. Until then the slower reference operators in pure torch are used")
            return None
    else:
        if NATIVE[name][0] != device:
            return None
        library, fault = _found(name)
        if library is None:
            raise BackendError(f"NERF_TALKER_OPS={name}: {fault}")
    return library if dtype in library.dtypes else None


def library_for_table(points: Tensor, table: Tensor) -> NativeLibrary | None:
    """The library that encodes points by a table, which single precision reads in half too.

    Raises:
        BackendError: A back-end that was asked for by name cannot be had.
    """
    half = table.dtype == torch.float16 and points.dtype == torch.float32
    return library_for(points) if half else library_for(points, table)


def fault(name: str) -> str | None:
    """Why a back-end cannot be used here; None when it can."""
    return None if name == "reference" else _found(name)[1]


@functools.cache
def _found(name: str) -> tuple[NativeLibrary | None, str | None]:
    """The library of a native back-end, or why there is none; looked for once."""
    device, find = NATIVE[name]
    if device == "cuda" and not torch.cuda.is_available():
        return None, "torch sees no CUDA GPU"
    try:
        return find(), None
    except BackendError as error:
        return None, str(error)


@functools.cache
def _warn(text: str) -> None:
    """Say it once."""
    warnings.warn(text, RuntimeWarning, stacklevel=4)
