"""Packages for CUDA that a configuration may ask for: imported here, or refused in one sentence."""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

from nerf_talker.errors import BackendError

INSTALL = {
    "nerfacc": "pip install nerfacc",
    "tinycudann": (
        "pip install --no-build-isolation "
        "'git+https://github.com/NVlabs/tiny-cuda-nn#subdirectory=bindings/torch'"
    ),
}
"""How each is had; tiny-cuda-nn is on no package index and is compiled against torch."""


def cuda_package(name: str, key: str) -> ModuleType:
    """Import a package that computes on CUDA only.

    Args:
        name: One of ``INSTALL``.
        key: The configuration's key that asks for it.

    Raises:
        BackendError: torch sees no CUDA GPU, or the package cannot be imported.
    """
    if not torch.cuda.is_available():
        raise BackendError(
            f"{key} is {name}, which needs a CUDA GPU, and torch sees none; set {key} to native"
        )
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BackendError(
            f"{key} is {name}, which cannot be imported ({reason}); run {INSTALL[name]}, "
            f"or set {key} to native"
        ) from None
