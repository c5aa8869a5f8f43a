"""Another clip's head, face and mouth on an avatar, each relative to what is neutral for whom."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from nerf_talker.drive.motion.chart import PoseChart, Values
from nerf_talker.drive.motion.eyes import LIDS, eye_range
from nerf_talker.drive.motion.poses import FixedPose
from nerf_talker.drive.replay import ping_pong
from nerf_talker.drive.source import DrivingSource, WrappedSource
from nerf_talker.errors import InputError
from nerf_talker.field.expression import upper_face
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.mesh import LIPS
from nerf_talker.render.talker import Talker
from nerf_talker.types import Driving, FrameTrack

MOUTH_CORNERS = (LIPS[0], LIPS[10])
_CORNERS = tuple(MOUTH_POINTS.index(point) for point in MOUTH_CORNERS)


@dataclass(frozen=True)
class _Tracked:
    """The seen frames of another clip at the avatar's rate."""

    camera_to_head: torch.Tensor
    expression: Values
    mouth: Values


def reenacted(track: FrameTrack, reference: Driving, talker: Talker) -> Driving:
    """A clip's motion as reference motion of the avatar, with mouth landmarks.

    The head turns and shifts from the avatar's mean pose as the clip's does from its own; shifts
    count in distances from the camera. Lids go between the avatar's own open and shut eyes, brows
    and gaze move by as much as the clip's from its mean, and the mouth moves from the avatar's
    mean shape by as much as the clip's, in widths of the mouth. A clip drives itself as it was.

    Args:
        track: Tracked frames of the clip.
        reference: The avatar's own motion.
        talker: The avatar's parts.

    Returns:
        As many frames as the clip has at the avatar's rate; frames without a face are bridged.

    Raises:
        InputError: No frame shows a face.
    """
    clip = _at_rate(track, reference.fps)
    expression = _expression(clip, reference)
    count = len(expression)
    # What the clip says nothing about is as at the avatar's usual pose.
    body = FixedPose(reference).held.select([0] * count)
    moved = replace(
        body,
        landmarks=torch.from_numpy(_mouth(clip, talker)),
        expression=torch.from_numpy(expression.astype(np.float32)),
        camera_to_head=_poses(clip, reference),
    )
    return talker.torso.moved_by_pose(moved.to(talker.background.device)).to("cpu")


def _at_rate(track: FrameTrack, fps: float) -> _Tracked:
    if not track.valid.any():
        raise InputError("the drive video shows no face in any frame; give one of a person")
    count = max(round(len(track.valid) * fps / track.fps), 1)
    seen = np.flatnonzero(track.valid)
    # Of the seen frame that is nearest in time: tracking bridged the others already.
    wanted = np.arange(count) * track.fps / fps
    rows = np.clip(np.round(wanted).astype(int), 0, len(track.valid) - 1)
    rows = np.clip(rows, seen[0], seen[-1])
    mouth = track.canonical_landmarks[rows][:, list(MOUTH_POINTS)].astype(np.float64)
    return _Tracked(
        torch.from_numpy(np.ascontiguousarray(track.camera_to_head[rows], np.float32)),
        upper_face(track.blendshapes[rows]).astype(np.float64),
        mouth,
    )


def _poses(clip: _Tracked, reference: Driving) -> torch.Tensor:
    own, other = PoseChart(reference.camera_to_head), PoseChart(clip.camera_to_head)
    moved = other.coordinates(clip.camera_to_head) - other.mean
    moved[:, 3:] *= own.mean[5] / other.mean[5]
    return own.poses(own.mean + moved)


def _expression(clip: _Tracked, reference: Driving) -> Values:
    own_mean = reference.expression.double().numpy().mean(0)
    moved = own_mean + clip.expression - clip.expression.mean(0)
    ours = eye_range(reference.expression, reference.fps)
    theirs = eye_range(torch.from_numpy(clip.expression), reference.fps)
    for lid in LIDS:
        span = theirs.shut[lid] - theirs.opened[lid]
        closing = (clip.expression[:, lid] - theirs.opened[lid]) / span
        lids = ours.opened[lid] + closing * (ours.shut[lid] - ours.opened[lid])
        moved[:, lid] = np.clip(lids, 0, 1)
    return moved


def _mouth(clip: _Tracked, talker: Talker) -> Values:
    own = talker.mouth.mean.double().cpu().numpy().reshape(-1, 3)
    other = clip.mouth.mean(0)
    width = [float(np.linalg.norm(m[_CORNERS[0]] - m[_CORNERS[1]])) for m in (own, other)]
    moved = own + (clip.mouth - other) * (width[0] / max(width[1], 1e-6))
    return np.ascontiguousarray(moved, np.float32)


class MouthOfClip(WrappedSource):
    """A source whose mouth is that of a clip, to and fro where the video is longer."""

    def __init__(self, base: DrivingSource, clip: Driving) -> None:
        """``clip`` holds mouth landmarks, see :func:`reenacted`."""
        super().__init__(base)
        self.clip = clip

    def chunk(self, start: int, stop: int) -> Driving:
        """The base's frames [start, stop) with the clip's mouth."""
        rows = ping_pong(len(self.clip), start, stop - start)
        mouth = self.clip.select(rows).landmarks
        return replace(self.base.chunk(start, stop), audio=None, landmarks=mouth)
