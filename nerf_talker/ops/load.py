"""Finding the native library: the packaged one if it fits, else one compiled on first use."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import torch

from nerf_talker.errors import BackendError
from nerf_talker.ops import build
from nerf_talker.ops.abi import ABI, NativeLibrary
from nerf_talker.ops.build import BuildError, sources_fingerprint

PACKAGED = tuple(Path(__file__).with_name(f"{name}.so") for name in build.PACKAGED.values())
"""Where ``setup.py`` puts the libraries it compiled, the best first."""

_CAPABILITIES = ("DEFAULT", "AVX2", "AVX512")


def cpu_library() -> NativeLibrary:
    """The library for the processor.

    Raises:
        BackendError: There is none and none can be compiled; the text names both causes.
    """
    for path in PACKAGED:
        unfit = packaged_fault(path)
        if unfit is None:
            return NativeLibrary("cpu", path)
    try:
        return NativeLibrary("cpu", build.cached_library(build.cpu_recipe()))
    except (BuildError, OSError) as error:
        raise BackendError(
            f"no native operators on the processor: packaged library: {unfit}; compiling one: "
            f"{error}. Install g++ or name a C++ compiler with CXX"
        ) from error


def packaged_fault(path: Path) -> str | None:
    """Why the packaged library cannot be used; None when it can."""
    if os.environ.get("NERF_TALKER_MARCH"):
        return "NERF_TALKER_MARCH asks for another"
    if not path.is_file():
        return "none was installed"
    stale = stale_library(path, "nt", "cpu")
    if stale is not None:
        return stale
    needs = ctypes.CDLL(str(path)).nt_needs
    needs.restype = ctypes.c_char_p
    wanted = needs().decode()
    if _rank(wanted) > _rank(torch.backends.cpu.get_cpu_capability()):
        return f"needs a processor with {wanted}"
    return None


def stale_library(path: Path, prefix: str, kind: str) -> str | None:
    """Why a library does not belong to the sources of one kind; None when it does.

    Args:
        path: The library.
        prefix: Of its functions.
        kind: A folder of the native sources.
    """
    try:
        handle = ctypes.CDLL(str(path))
        abi, sources = handle[f"{prefix}_abi"](), handle[f"{prefix}_sources"]
    except (OSError, AttributeError) as error:
        return f"cannot be loaded ({error})"
    sources.restype = ctypes.c_char_p
    if abi != ABI:
        return f"has interface {abi}, needs {ABI}"
    if sources().decode() != sources_fingerprint(kind):
        return "was built from other sources"
    return None


def _rank(capability: str) -> int:
    return _CAPABILITIES.index(capability) if capability in _CAPABILITIES else 0
