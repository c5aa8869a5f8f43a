"""Where driven frames come from: asked for in chunks, so that any length takes constant memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from nerf_talker.drive.replay import replayed
from nerf_talker.field.audio_encoder import WINDOW
from nerf_talker.render.talker import Talker
from nerf_talker.types import AudioFeatures, Driving, FloatArray


class DrivingSource(Protocol):
    """Frames of motion by their place in the video; asking twice gives the same."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    def __len__(self) -> int:
        """How many frames there are."""

    def chunk(self, start: int, stop: int) -> Driving:
        """Driving of frames [start, stop), on the CPU."""


class WrappedSource:
    """What sources share that change frames of another: its length and its rate."""

    def __init__(self, base: DrivingSource) -> None:
        """``base`` gives the frames to change."""
        self.base = base

    @property
    def fps(self) -> float:
        """Frames per second of the base."""
        return self.base.fps

    def __len__(self) -> int:
        return len(self.base)


class SpeechSource:
    """New speech over the training clip's motion; silence closes the mouth."""

    def __init__(
        self, talker: Talker, poses: Driving, features: AudioFeatures, openness: FloatArray
    ) -> None:
        """Speech for a talker.

        Args:
            talker: Its audio encoder and mouth code.
            poses: The avatar's reference poses.
            features: Of the speech.
            openness: (T,) of every frame, see :mod:`nerf_talker.drive.silence`.
        """
        self.talker, self.poses, self.features = talker, poses, features
        self.openness = torch.from_numpy(openness)

    @property
    def fps(self) -> float:
        """Frames per second of the poses."""
        return self.poses.fps

    def __len__(self) -> int:
        return len(self.openness)

    @torch.no_grad()
    def chunk(self, start: int, stop: int) -> Driving:
        """Sound windows, the mouth and replayed motion of frames [start, stop).

        The mouth comes as landmarks, or as a code where the talker knows no landmarks.
        """
        windows = torch.from_numpy(self.features.windows(np.arange(start, stop) / self.fps, WINDOW))
        audio, mouth = self.talker.audio, self.talker.mouth
        device = audio.mean.device
        codes = audio(windows.to(device)).clamp(-mouth.limit, mouth.limit)
        speech = self.openness[start:stop, None].to(device)
        codes = speech * codes + (1 - speech) * audio.closed
        driving = replayed(self.poses, windows, start)
        if self.talker.learns_from == "audio":
            return replace(driving, code=codes.cpu())
        return replace(driving, landmarks=mouth.landmarks(codes).cpu())
