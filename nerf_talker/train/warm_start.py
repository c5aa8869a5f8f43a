"""Starting from another identity's avatar: what faces share, not what one person is.

Tables and networks of the head come over. Codes of light, scales, the torso with its plates, the
audio encoder, the camera and the volume with its occupancy are the new person's, so clips may
differ in length, size and speech features. Whatever gives the head's numbers their meaning has to
be configured alike; the shapes of tensors would betray only a part of it. The mouth code is a
rotation-free choice of axes: the new one is turned towards the old, or the nets would listen to the
wrong channels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nerf_talker.errors import ConfigError
from nerf_talker.field.mouth import MouthCode
from nerf_talker.render.talker import Talker, TalkerConfig
from nerf_talker.train.avatar import load_avatar

_MOUTH = ("components", "source")  # of the mouth code's settings, those that must be alike


def warm_start(talker: Talker, path: Path) -> None:
    """Copy the head's learned parts from an avatar and turn the mouth code towards its own.

    Args:
        talker: A new talker whose statistics are fitted already.
        path: The other's avatar, or its run folder.

    Raises:
        AvatarError: No such avatar, or a damaged one.
        ConfigError: Its head or mouth code has another configuration.
    """
    other = load_avatar(path).talker
    here, there = (_settings(model.config) for model in (talker, other))
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            raise ConfigError(
                f"{path}: made with talker.{name} {there.get(name)}, this run has "
                f"{here.get(name)}, so training cannot start from it; use the configuration it "
                "was made with, or leave out --init"
            )
    theirs = dict(other.head.named_parameters())
    with torch.no_grad():
        for name, value in talker.head.named_parameters():
            value.copy_(theirs[name])
    turn_towards(talker.mouth, other.mouth)


def _settings(config: TalkerConfig) -> dict[str, Any]:
    """What two heads must share, by the names of the settings; parts that are not used left out."""
    head = config.head
    unused = {"landmarks"} if "landmarks" not in head.conditioners else set()
    unused |= {"film_hidden"} if "film" not in head.fusion else set()
    found: dict[str, Any] = {f"mouth.{name}": getattr(config.mouth, name) for name in _MOUTH}
    for name, value in head.model_dump(exclude=unused).items():
        nested = value if isinstance(value, dict) else {}
        found |= {f"head.{name}.{key}": part for key, part in nested.items()}
        found |= {} if nested else {f"head.{name}": value}
    return found


@torch.no_grad()
def turn_towards(code: MouthCode, other: MouthCode) -> None:
    """Turn the axes of a mouth code within their span to lie nearest to another's.

    Axes stay orthonormal (orthogonal Procrustes problem, Schoenemann 1966), so the code keeps its
    inverse; each is then scaled by the deviation that the old axes gave it.
    """
    wanted = other.basis @ code.basis.T
    left, _, right = torch.linalg.svd(wanted.double())
    turn: Tensor = (left @ right).to(code.basis)
    deviation = (turn.square() @ code.scale.square()).sqrt()
    code.basis.copy_(turn @ code.basis)
    code.scale.copy_(deviation)
