"""The library of CUDA kernels, on a GPU or emulated on the processor, and its own functions.

Everything :mod:`nerf_talker.ops.register` registers runs on it unchanged: the functions have the
arguments of the processor's library, followed by the device and the stream.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nerf_talker.errors import BackendError
from nerf_talker.ops.abi import ABI, NativeLibrary
from nerf_talker.ops.build import BuildError, cached_library
from nerf_talker.ops.cuda_build import PACKAGED as PACKAGED_NAME
from nerf_talker.ops.cuda_build import cuda_recipe, emulated_recipe
from nerf_talker.ops.load import stale_library
from nerf_talker.ops.register_rays import endless_text

PACKAGED = Path(__file__).with_name(f"{PACKAGED_NAME}.so")
"""Where ``setup.py`` puts the library it compiled."""

# Arguments that are read a whole entry at a time.
_ENTRIES = {
    f"{name}{half}": places
    for half in ("", "_half")
    for name, places in (
        ("triplane_encode", (1,)),
        ("triplane_encode_backward", (0, 2)),
        ("grid_encode", (1,)),
        ("grid_encode_backward", (0, 2)),
    )
}

_POINTER = ctypes.c_void_p

# What only this library has; each ends with the device and the stream.
_SIGNATURES: dict[str, list[Any]] = {
    "fused_scalar": [_POINTER, ctypes.c_int, _POINTER],
    "fused_render": [_POINTER, ctypes.c_int, _POINTER],
}

_CURES = {
    35: "the driver is older than the CUDA this was built with; update it",
    209: "built for another GPU; set NERF_TALKER_CUDA_ARCH to yours, such as 90",
}


class KernelLibrary(NativeLibrary):
    """The CUDA kernels; see :class:`nerf_talker.ops.abi.NativeLibrary`."""

    def __init__(self, name: str, path: Path) -> None:
        """Load and check a library.

        Raises:
            BackendError: It has another interface.
        """
        super().__init__(name, path, "ntc", (torch.float32,))
        found = self.handle.ntc_abi()
        if found != ABI:
            raise BackendError(f"{path} has interface {found}, needs {ABI}")
        self.handle.ntc_error.restype = ctypes.c_char_p

    def call(self, name: str, dtype: torch.dtype, *given: Any) -> None:
        """Call one function, refusing first what a kernel could not report.

        Raises:
            BackendError: The function reports a fault, or cannot take these arguments.
        """
        whole = _ENTRIES.get(name, ())
        given = tuple(aligned(v) if k in whole else v for k, v in enumerate(given))
        tensor = next(value for value in given if isinstance(value, Tensor))
        with _current(tensor):
            super().call(name, dtype, *given)
        if name == "march_count" and len(given[2]):
            # The caller is about to wait for the counts anyway.
            endless = int(_endless(given[2], given[3], given[9]).sum())
            if endless:
                raise BackendError(f"march ({self.name} back-end): {endless_text(endless)}")

    def call_struct(self, name: str, address: Any, result: Tensor) -> None:
        """Call a function that takes one structure; ``result`` says on which device.

        Raises:
            BackendError: The launch fails.
        """
        function = self._bind(name, torch.float32)
        with _current(result):
            code = function(address, *self._where((result,)))
        if code:
            raise BackendError(f"{name} ({self.name} back-end): {self._fault(code)}")

    def _bind(self, name: str, dtype: torch.dtype) -> Any:
        if name not in _SIGNATURES:
            return super()._bind(name, dtype)
        function = getattr(self.handle, f"ntc_{name}_f32")
        function.argtypes, function.restype = _SIGNATURES[name], ctypes.c_int
        self._functions[name, dtype] = function
        return function

    def _fault(self, code: int) -> str:
        meaning = self.handle.ntc_error(code).decode()
        cure = _CURES.get(code)
        return f"CUDA error {code}, {meaning}" + (f": {cure}" if cure else "")


def emulated_library() -> KernelLibrary:
    """The kernels compiled for the processor, one thread after the other: for tests.

    Raises:
        BackendError: It cannot be compiled.
    """
    try:
        return KernelLibrary("emulated", cached_library(emulated_recipe()))
    except (BuildError, OSError) as error:
        raise BackendError(f"no emulated CUDA operators: {error}") from error


def cuda_library() -> KernelLibrary:
    """The kernels for CUDA GPUs: the packaged library if it fits the sources, else a cached one.

    Raises:
        BackendError: There is none and none can be compiled.
    """
    unfit: str | None = "not looked at"
    try:
        unfit = packaged_fault(PACKAGED)
        if unfit is None:
            return KernelLibrary("cuda", PACKAGED)
        return KernelLibrary("cuda", cached_library(cuda_recipe()))
    except (BuildError, OSError) as error:
        raise BackendError(
            f"no CUDA operators: packaged library: {unfit}; compiling one: {error}"
        ) from error


def packaged_fault(path: Path) -> str | None:
    """Why the packaged library cannot be used; None when it can."""
    if os.environ.get("NERF_TALKER_CUDA_ARCH"):
        return "NERF_TALKER_CUDA_ARCH asks for another"
    if not path.is_file():
        return "none was installed"
    return stale_library(path, "ntc", "cuda")


def _current(tensor: Tensor) -> contextlib.AbstractContextManager[Any]:
    """Make a tensor's GPU torch's current one; the kernels' own guard then finds it so."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else contextlib.nullcontext()


def aligned(value: Tensor) -> Tensor:
    """The same values where 16 bytes can be read at once: a view may start anywhere."""
    return value if value.data_ptr() % 16 == 0 else value.clone()


def _endless(near: Tensor, far: Tensor, step: float) -> Tensor:
    length = far - near
    return ~(length <= 0) & ~(length < step * (2**31 - 1))
