"""Starting from another identity's avatar: what faces share, not what one person is.

Tables and networks of the head come over; codes of light, scales, plates, the voice and the volume
are the new person's. The mouth code is a rotation-free choice of axes: the new one is turned
towards the old, or the nets would listen to the wrong channels.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nerf_talker.errors import ConfigError
from nerf_talker.field.mouth import MouthCode
from nerf_talker.render.talker import Talker
from nerf_talker.train.avatar import load_avatar


def warm_start(talker: Talker, path: Path) -> None:
    """Copy the head's learned parts from an avatar and turn the mouth code towards its own.

    Args:
        talker: A new talker whose statistics are fitted already.
        path: The other's avatar, or its run folder.

    Raises:
        AvatarError: No such avatar, or a damaged one.
        ConfigError: Its head has other sizes.
    """
    other = load_avatar(path).talker
    theirs = dict(other.head.named_parameters())
    ours = dict(talker.head.named_parameters())
    for name in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(name), theirs.get(name)
        if here is None or there is None or here.shape != there.shape:
            raise ConfigError(
                f"{path}: its head has other sizes ({name}), so training cannot start from it; "
                "use the configuration it was trained with, or leave out --init"
            )
    with torch.no_grad():
        for name, value in ours.items():
            value.copy_(theirs[name])
    turn_towards(talker.mouth, other.mouth)


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
