"""Where driven frames come from: asked for in chunks, so that any length takes constant memory."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from nerf_talker.drive.replay import replayed
from nerf_talker.field.audio_encoder import WINDOW
from nerf_talker.types import AudioFeatures, Driving


class DrivingSource(Protocol):
    """Frames of motion by their place in the video; asking twice gives the same."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    def __len__(self) -> int:
        """How many frames there are."""

    def chunk(self, start: int, stop: int) -> Driving:
        """Driving of frames [start, stop), on the CPU."""


class SpeechSource:
    """New speech over the training clip's motion."""

    def __init__(self, poses: Driving, features: AudioFeatures, frames: int) -> None:
        """``features`` of the speech over the avatar's reference ``poses``, for ``frames``."""
        self.poses, self.features, self.frames = poses, features, frames

    @property
    def fps(self) -> float:
        """The training clip's rate."""
        return self.poses.fps

    def __len__(self) -> int:
        return self.frames

    def chunk(self, start: int, stop: int) -> Driving:
        """Sound windows and replayed motion of frames [start, stop)."""
        windows = self.features.windows(np.arange(start, stop) / self.fps, WINDOW)
        return replayed(self.poses, torch.from_numpy(windows), start)
