"""How well the conditions of a head are kept apart: what moves where when only one of them moves.

A field that learned from frames where lips and lids happen to move together blinks when it speaks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nerf_talker.field.expression import BROWS_AND_BLINKS, LIMIT
from nerf_talker.field.head import HeadCondition
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.geometry.mesh import NOSE_BASE
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.talker import Talker
from nerf_talker.types import Driving

BLINKS = tuple(BROWS_AND_BLINKS.index(channel) for channel in (9, 10))
"""Channels of the expression that close the eyes."""

STEP = 1.5
"""Size of the step in standard deviations of the training frames."""


@dataclass(frozen=True)
class CrossTalk:
    """Shares of the absolute change of the picture, in [0, 1]; 1 is perfect.

    Attributes:
        mouth_in_lower: Of a step of the mouth code, what falls below the nose.
        blink_in_upper: Of a step of the blinks, what falls above the nose's base.
        mouth_change: Mean absolute change of a pixel's value in [0, 1] by the step of the mouth.
        blink_change: The same by the step of the blinks; where it is 0, the share is 0 too.
    """

    mouth_in_lower: float
    blink_in_upper: float
    mouth_change: float
    blink_change: float


@torch.no_grad()
def cross_talk(talker: Talker, driving: Driving) -> CrossTalk:
    """Step the mouth code and the blinks of each driven frame, and see where the picture changes.

    The mouth steps along its largest component, usually the jaw's; all steps go towards the middle
    of the trained range, so that they never leave it.

    Args:
        talker: A trained talker; its torso does not take part.
        driving: T frames, at least one.
    """
    renderer = PortraitRenderer(talker)
    condition = talker.condition(driving)
    mouth, expression = condition.mouth.clone(), condition.expression.clone()
    mouth[:, 0] = _stepped(mouth[:, 0], talker.mouth.limit)
    for channel in BLINKS:
        expression[:, channel] = _stepped(expression[:, channel], LIMIT)
    spoken, blinked = replace(condition, mouth=mouth), replace(condition, expression=expression)
    sums = torch.zeros(2, 2, dtype=torch.float64)
    for row in range(len(driving)):
        lower = _lower_face(renderer, driving, row)
        before = _picture(renderer, driving, condition, row)
        for index, changed in enumerate((spoken, blinked)):
            change = (_picture(renderer, driving, changed, row) - before).abs().mean(-1).double()
            sums[index] += torch.stack([change[lower].sum(), change[~lower].sum()]).cpu()
    total = sums.sum(-1)
    (in_lower, _), (_, in_upper) = (sums / total.clamp_min(1e-12)[:, None]).tolist()
    mouth_change, blink_change = (total / (len(driving) * len(renderer.pixels))).tolist()
    return CrossTalk(in_lower, in_upper, mouth_change, blink_change)


def _stepped(values: Tensor, limit: float) -> Tensor:
    """(T,) values a step nearer to the other end of the trained range."""
    return (values - torch.where(values > 0, STEP, -STEP)).clamp(-limit, limit)


def _picture(
    renderer: PortraitRenderer, driving: Driving, condition: HeadCondition, row: int
) -> Tensor:
    """(P, 3) head over the background."""
    head, opacity = renderer.head(driving.camera_to_head, condition, row)
    behind = renderer.talker.background.reshape(-1, 3)
    return (head + (1 - opacity[:, None]) * behind).clamp(0, 1)


def _lower_face(renderer: PortraitRenderer, driving: Driving, row: int) -> Tensor:
    """(P,) which pixels see, at the depth of the lips, what lies below the nose's base."""
    talker = renderer.talker
    mean = talker.mouth.mean.reshape(-1, 3)
    nose = mean[MOUTH_POINTS.index(NOSE_BASE)]
    frame = torch.full((len(renderer.pixels),), row, device=renderer.pixels.device)
    pose = driving.camera_to_head
    rays = pixel_rays(talker.camera, pose, renderer.pixels, frame, renderer.bounds)
    along = (mean[:, 2].mean() - rays.origins[:, 2]) / rays.directions[:, 2]
    return rays.origins[:, 1] + along * rays.directions[:, 1] > nose[1]
