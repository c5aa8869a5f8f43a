"""Motion at other instants than those it was kept at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from nerf_talker.types import Driving

# Of a frame; instants as near as this to a kept one are that one, to the bit.
_SAME = 1e-3


def at_rate(poses: Driving, fps: float) -> Driving:
    """The same motion with other frames per second; the very ``poses`` where they are the same.

    Args:
        poses: (T,) frames at a rate of their own.
        fps: Frames per second wanted.

    Returns:
        As many frames as begin within the T.
    """
    if fps == poses.fps:
        return poses
    return replace(between(poses, _instants(len(poses), poses.fps, fps)), fps=fps)


def poses_at_rate(poses: Tensor, fps: float, wanted: float) -> Tensor:
    """(N, 4, 4) rigid transforms at ``wanted`` frames per second of (T, 4, 4) at ``fps``."""
    if fps == wanted:
        return poses
    places = _instants(len(poses), fps, wanted)
    low = places.floor().long()
    high = (low + 1).clamp(max=len(poses) - 1)
    return _rigid(_mixed(poses[low], poses[high], (places - low).to(poses)))


def between(poses: Driving, places: Tensor) -> Driving:
    """Driving at (T,) places with fractions: straight lines, and rotations made rigid again."""
    first = places.round().long()
    nearest = poses.select(first)
    part = places - first
    if bool((part.abs() < _SAME).all()):
        return nearest
    low = places.floor().long()
    before, after = poses.select(low), poses.select((low + 1).clamp(max=len(poses) - 1))
    part = (places - low).to(before.expression)
    bend = None
    if before.torso_bend is not None and after.torso_bend is not None:
        bend = _mixed(before.torso_bend, after.torso_bend, part)
    return replace(
        before,
        expression=_mixed(before.expression, after.expression, part),
        camera_to_head=_rigid(_mixed(before.camera_to_head, after.camera_to_head, part)),
        torso_motion=_mixed(before.torso_motion, after.torso_motion, part),
        torso_bend=bend,
    )


def _instants(count: int, fps: float, wanted: float) -> Tensor:
    """Places, with fractions, among ``count`` frames at ``fps`` of frames at ``wanted``."""
    frames = int((count - 1) * wanted / fps + 1e-6) + 1
    places = np.arange(frames) * (fps / wanted)
    return torch.from_numpy(places.clip(0, count - 1))


def _mixed(one: Tensor, other: Tensor, part: Tensor) -> Tensor:
    weight = part.reshape(-1, *[1] * (one.dim() - 1))
    return one + weight * (other - one)


def _rigid(matrix: Tensor) -> Tensor:
    left, _, right = torch.linalg.svd(matrix[:, :3, :3])
    matrix[:, :3, :3] = left @ right
    return matrix
