"""Head pose, upper face and torso for new speech, taken from the training clip."""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.types import Driving


def ping_pong(count: int, start: int, frames: int) -> Tensor:
    """(frames,) indices that walk to and fro through ``count`` rows without a jump.

    Args:
        count: Rows to walk through.
        start: Position on the walk to begin with, counted in steps.
        frames: How many indices.
    """
    if count == 1:
        return torch.zeros(frames, dtype=torch.int64)
    period = 2 * (count - 1)
    step = (start + torch.arange(frames)) % period
    return torch.where(step < count, step, period - step)


def replayed(poses: Driving, audio: Tensor, start: int) -> Driving:
    """Driving for new speech over the training clip's motion.

    Args:
        poses: The avatar's reference poses.
        audio: (T, W, D) raw speech feature windows.
        start: Index of the first driven frame in the video, so that chunks join without a jump.

    Returns:
        T driven frames.
    """
    motion = poses.select(ping_pong(len(poses), start, len(audio)))
    return Driving(
        audio,
        None,
        motion.expression,
        motion.camera_to_head,
        motion.torso_motion,
        motion.appearance,
        poses.fps,
        motion.torso_bend,
    )
