"""Where head poses come from: the clip to and fro, one still pose, or poses of the user's."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from nerf_talker.drive.motion.chart import PoseChart, Values
from nerf_talker.drive.replay import ping_pong
from nerf_talker.drive.source import DrivingSource, WrappedSource
from nerf_talker.field.torso import TorsoMotionFromPose
from nerf_talker.types import Driving


class Motion(Protocol):
    """Frames of a head without a mouth, by their place in the video; asked twice, the same."""

    def frames(self, start: int, stop: int) -> Driving:
        """Driving of frames [start, stop) with neither sound nor mouth."""


class Replay:
    """A clip's own motion, to and fro."""

    def __init__(self, reference: Driving) -> None:
        """Of the clip's ``reference`` frames."""
        self.reference = reference

    def frames(self, start: int, stop: int) -> Driving:
        """Rows of the clip for frames [start, stop)."""
        return self.reference.select(ping_pong(len(self.reference), start, stop - start))


class FixedPose:
    """The clip's most usual pose, held still, with the clip's expression but for the pose's part.

    Eyes that look at the camera turn against the head. What of the expression follows the pose is
    regressed out, or gaze and brows would wander over a head that stands still.
    """

    def __init__(self, reference: Driving) -> None:
        """The frame whose pose is nearest to the median of all is held."""
        poses = PoseChart(reference.camera_to_head).coordinates(reference.camera_to_head)
        spread = np.maximum(poses.std(0), 1e-6)
        away = (((poses - np.median(poses, 0)) / spread) ** 2).sum(1)
        row = int(away.argmin())
        self.held = reference.select([row])
        self.replay = Replay(replace(reference, expression=_without_pose(reference, poses, row)))

    def frames(self, start: int, stop: int) -> Driving:
        """The held pose with the expression of frames [start, stop)."""
        still = self.held.select([0] * (stop - start))
        return replace(still, expression=self.replay.frames(start, stop).expression)


def _without_pose(reference: Driving, poses: Values, row: int) -> Tensor:
    """(T, 9) expression as it would be with the pose of one row (ridge regression)."""
    turns = (poses - poses[row]) / np.maximum(poses.std(0), 1e-6)
    centred = turns - turns.mean(0)
    values = reference.expression.double().numpy()
    penalty = 0.01 * len(values) * np.eye(turns.shape[1])
    moved = centred.T @ (values - values.mean(0))
    weights = np.linalg.solve(centred.T @ centred + penalty, moved)
    return torch.from_numpy(values - turns @ weights).float()


class GivenPoses:
    """Poses of the user's, to and fro where the video is longer; the torso follows the head."""

    def __init__(self, reference: Driving, poses: Tensor, torso: TorsoMotionFromPose) -> None:
        """(T, 4, 4) camera-to-head ``poses``; other channels are those of ``reference``."""
        self.still, self.poses = FixedPose(reference), poses
        with torch.no_grad():
            on_device = poses.to(torso.motion_mean.device)
            self.torso_motion = torso(on_device).float().cpu()
            self.torso_bend = torso.bend(on_device).float().cpu()

    def frames(self, start: int, stop: int) -> Driving:
        """The given poses of frames [start, stop)."""
        rows = ping_pong(len(self.poses), start, stop - start)
        still = self.still.frames(start, stop)
        return replace(
            still,
            camera_to_head=self.poses[rows],
            torso_motion=self.torso_motion[rows],
            torso_bend=self.torso_bend[rows],
        )


class MovedSource(WrappedSource):
    """A source whose mouth is kept, and whose head moves otherwise."""

    def __init__(self, base: DrivingSource, motion: Motion, with_expression: bool = True) -> None:
        """``motion`` in place of that of ``base``, its expression too unless told otherwise."""
        super().__init__(base)
        self.motion, self.with_expression = motion, with_expression

    def chunk(self, start: int, stop: int) -> Driving:
        """Mouth of the base, motion of the other, for frames [start, stop)."""
        spoken = self.base.chunk(start, stop)
        moved = replace(
            self.motion.frames(start, stop),
            audio=spoken.audio,
            landmarks=spoken.landmarks,
            code=spoken.code,
            fps=spoken.fps,
        )
        if not self.with_expression:
            moved = replace(moved, expression=spoken.expression)
        return moved


class ExpressionSource(WrappedSource):
    """A source whose head and mouth are kept, and whose eyes and brows move otherwise."""

    def __init__(self, base: DrivingSource, motion: Motion) -> None:
        """The expression of ``motion`` in place of that of ``base``."""
        super().__init__(base)
        self.motion = motion

    def chunk(self, start: int, stop: int) -> Driving:
        """The base's frames [start, stop) with the other expression."""
        expression = self.motion.frames(start, stop).expression
        return replace(self.base.chunk(start, stop), expression=expression)
