"""Where the head trains, and which number format its networks run in."""

from __future__ import annotations

import torch

from nerf_talker.errors import ConfigError


def resolve_device(wanted: str) -> torch.device:
    """The device of a run; ``auto`` takes a CUDA GPU when torch sees one.

    Raises:
        ConfigError: ``cuda`` is wanted and torch sees no GPU.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "train.device: cuda is wanted, but torch sees no CUDA GPU; use auto or cpu"
        )
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def resolve_precision(wanted: str, device: torch.device) -> torch.dtype | None:
    """The autocast dtype, or None for float32.

    ``auto`` takes bfloat16 where the hardware multiplies it natively (CUDA, or a CPU with
    AVX512-BF16 or AMX: 3.5-4 times faster layers); elsewhere emulation would be slower than
    float32.
    """
    if wanted == "bfloat16":
        return torch.bfloat16
    if wanted == "float32":
        return None
    if device.type == "cuda":
        return torch.bfloat16
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    return torch.bfloat16 if native else None
