"""The optimiser of head and appearance codes, and its learning rates."""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.render.talker import Talker
from nerf_talker.train.config import TrainConfig


def head_optimiser(talker: Talker, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW on tables, nets and appearance codes, each with a rate of its own."""
    tables = talker.head.tables()
    nets = [p for p in talker.head.parameters() if all(p is not table for table in tables)]
    groups = [
        {"params": tables, "lr": config.grid_learning_rate, "weight_decay": 0.0},
        {"params": nets, "lr": config.net_learning_rate},
        {
            "params": talker.appearance.parameters(),
            "lr": config.net_learning_rate,
            "weight_decay": 1e-3,
        },
    ]
    for group in groups:
        group["base"] = group["lr"]
    return torch.optim.AdamW(
        groups, betas=(0.9, 0.99), eps=1e-15, weight_decay=config.net_weight_decay, fused=True
    )


def set_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Give every group ``factor`` times its base rate."""
    for group in optimiser.param_groups:
        group["lr"] = group["base"] * factor


def resting(talker: Talker) -> list[Tensor]:
    """What does not learn in the mouth phase: the upper face's gate and the appearance codes."""
    gate = getattr(talker.head, "expression_gate", None)
    return [*talker.appearance.parameters(), *(gate.parameters() if gate is not None else ())]
