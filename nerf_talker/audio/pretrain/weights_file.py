"""The file that ships: half-precision weights and what made them."""

from __future__ import annotations

from pathlib import Path

import torch

from nerf_talker.atomic import atomic_path
from nerf_talker.audio.articulation_net import ArticulationNet

MADE_BY = "nerf_talker.audio.pretrain"


def write_weights(path: Path, net: ArticulationNet) -> None:
    """Write the network's weights as 16-bit floats, atomically."""
    from safetensors.torch import save_file

    weights = {name: value.to(torch.float16) for name, value in net.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(weights, str(temporary), {"made_by": MADE_BY, "licence": "Apache-2.0"})
