"""The optimiser of head and appearance codes, and its learning rates."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nerf_talker.render.talker import Talker
from nerf_talker.train.config import TrainConfig


def head_optimiser(talker: Talker, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW on tables, nets and appearance codes, each with a rate of its own."""
    tables = talker.head.tables()
    nets = [p for p in talker.learned().parameters() if all(p is not table for table in tables)]
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


def moments(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """What an Adam or AdamW keeps, and of how many parameters; :func:`load_moments` reads it."""
    state = optimiser.state_dict()
    return {**state, "learned": len(state["state"])}


def load_moments(optimiser: torch.optim.Optimizer, kept: dict[str, Any]) -> None:
    """Take over what :func:`moments` gave; torch itself would miss neither a tensor nor its shape.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A parameter's tensors are missing, or have another shape.
    """
    count = len(kept["state"])
    if count != kept.get("learned", count):  # older checkpoints do not say
        raise ValueError(f"optimiser: {kept['learned']} parameters had learned, {count} are here")
    parameters = [value for group in optimiser.param_groups for value in group["params"]]
    for place, entry in kept["state"].items():
        for name in ("exp_avg", "exp_avg_sq"):
            if entry[name].shape != parameters[place].shape:
                raise ValueError(f"optimiser: {name} of parameter {place} has another shape")
        if entry["step"].numel() != 1:
            raise ValueError(f"optimiser: step of parameter {place} is no number")
    optimiser.load_state_dict({name: kept[name] for name in ("state", "param_groups")})


def resting(talker: Talker) -> list[Tensor]:
    """What does not learn in the mouth phase: the upper face's gate and the appearance codes."""
    gate = getattr(talker.head, "expression_gate", None)
    return [*talker.appearance.parameters(), *(gate.parameters() if gate is not None else ())]
