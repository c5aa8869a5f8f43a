"""What is asked of the talker itself, beside the frames it renders."""

from __future__ import annotations

from dataclasses import dataclass

from nerf_talker.data.dataset import Dataset
from nerf_talker.evaluate.crosstalk import cross_talk
from nerf_talker.evaluate.figure_groups import CrossTalk, FrameCost
from nerf_talker.evaluate.frame_cost import frame_cost
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.talker import Talker
from nerf_talker.train.driving import Drive, dataset_driving
from nerf_talker.train.precision import resolve_precision

ENCODED = 16
"""Frames whose sound is encoded together when the stages are timed."""


@dataclass(frozen=True)
class Probes:
    """Answers.

    Attributes:
        crosstalk: Where the picture changes when one thing moves; None without faces.
        cost: What a frame costs.
    """

    crosstalk: CrossTalk | None
    cost: FrameCost


def probe_talker(talker: Talker, dataset: Dataset, frames: range, drive: Drive) -> Probes:
    """Ask a talker about frames of a dataset, driven as in the evaluation."""
    device = talker.background.device
    renderer = PortraitRenderer(talker, resolve_precision("auto", device))
    driving = dataset_driving(dataset, frames[:ENCODED], drive).to(device)
    cost = frame_cost(renderer, talker.torso.moved_by_pose(driving))
    return Probes(cross_talk(renderer, dataset, frames, drive), cost)
