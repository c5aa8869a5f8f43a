"""torch.compile for the layers of a head in training.

For heads that do not run in one native call: operators that a compiler can fuse lie between their
layers. The benchmarks' table says what it is worth.
"""

from __future__ import annotations

import torch

from nerf_talker.errors import ConfigError
from nerf_talker.field.head import HeadField


def compile_head(head: HeadField, device: torch.device) -> None:
    """Let torch compile what a head computes while it learns.

    Args:
        head: Rendering and evaluation keep its plain layers.
        device: Where it will train.

    Raises:
        ConfigError: There is nothing to compile, or torch has no compiler here.
    """
    config = head.config
    if config.backend == "tinycudann":
        raise ConfigError(
            "train.compile: tiny-cuda-nn's networks are compiled already; leave it out, or set "
            "talker.head.backend to native"
        )
    if config.plain and device.type == "cpu":
        raise ConfigError(
            "train.compile: for a processor this head has one native call, which is compiled "
            "already; leave it out"
        )
    try:
        torch.compile(torch.relu)(torch.zeros(1, device=device))
    except (RuntimeError, OSError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"train.compile: torch cannot compile here ({reason}); leave it out"
        ) from None
    head.compile_layers()


def is_of_compiler(error: BaseException) -> bool:
    """Whether an error is one of torch's compiler and not of what it compiled."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
