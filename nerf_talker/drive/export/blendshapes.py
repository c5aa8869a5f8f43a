"""Driven frames as the 52 ARKit blendshapes, and where each of them comes from."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from nerf_talker.drive.motion.mouth import LipOpening
from nerf_talker.field.expression import BROWS_AND_BLINKS
from nerf_talker.train.avatar import Avatar
from nerf_talker.train.face_model import design_rows
from nerf_talker.types import Driving

Origin = Literal["driven", "fitted", "geometry", "absent"]

# MediaPipe's order from its number 1 on (0 is the neutral face), and the tongue, which it lacks.
NAMES = (
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight"),
    *("eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight"),
    *("eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight"),
    *("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel"),
    *("mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
_ACROSS, _UP = 7, 8  # columns of the expression
_LOOKS = tuple(name for name in NAMES if name.startswith("eyeLook"))
_DRIVEN = tuple(NAMES[number - 1] for number in BROWS_AND_BLINKS)


def origins(avatar: Avatar) -> dict[str, Origin]:
    """Where each blendshape of this avatar's frames comes from.

    ``driven``: it is a driving channel itself. ``fitted``: from the mouth by the person's own
    linear map. ``geometry``: from the opening of the lips. ``absent``: always 0.
    """
    found: dict[str, Origin] = {}
    for name in NAMES:
        if name in _DRIVEN or name in _LOOKS:
            found[name] = "driven"
        elif avatar.face is not None and name != "tongueOut":
            found[name] = "fitted"
        else:
            found[name] = "geometry" if name == "jawOpen" else "absent"
    return found


def blendshapes(avatar: Avatar, driving: Driving) -> Tensor:
    """(T, 52) scores in [0, 1] of driven frames, in the order of :data:`NAMES`."""
    scores = torch.zeros(len(driving), len(NAMES))
    if avatar.face is not None:
        scores[:, :-1] = avatar.face.scores(design_rows(avatar.talker, driving))[:, 1:]
    else:
        lips = LipOpening(avatar.talker)
        opening = lips.opening(lips.landmarks(driving)) - lips.closed
        scores[:, NAMES.index("jawOpen")] = opening / (lips.widest - lips.closed)
    for column, name in enumerate(_DRIVEN):
        scores[:, NAMES.index(name)] = driving.expression[:, column]
    across, up = driving.expression[:, _ACROSS], driving.expression[:, _UP]
    looks = {"OutLeft": across, "InRight": across, "InLeft": -across, "OutRight": -across}
    looks |= {"UpLeft": up, "UpRight": up, "DownLeft": -up, "DownRight": -up}
    for name, value in looks.items():
        scores[:, NAMES.index(f"eyeLook{name}")] = value
    return scores.clamp(0, 1)
