"""Driving from the frames of a dataset: the same container that new speech will fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nerf_talker.data.dataset import Dataset
from nerf_talker.field.audio_encoder import WINDOW
from nerf_talker.field.expression import upper_face
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.types import Driving

Drive = Literal["audio", "landmarks"]


def dataset_driving(dataset: Dataset, frames: Sequence[int], drive: Drive) -> Driving:
    """What animates the given frames of a dataset.

    Args:
        dataset: The opened dataset.
        frames: T frame indices.
        drive: Whether the mouth follows the clip's sound or its own landmarks.

    Returns:
        Driving with the clip's tracked poses and torso. Training frames carry their own appearance
        code, every other frame the neutral one.
    """
    track, rows = dataset.track, np.asarray(frames, np.int64)
    audio = landmarks = None
    if drive == "audio":
        audio = torch.from_numpy(dataset.audio.windows(rows / track.fps, WINDOW))
    else:
        points = track.canonical_landmarks[rows][:, list(MOUTH_POINTS)]
        landmarks = torch.from_numpy(np.ascontiguousarray(points))
    start, end = dataset.manifest.splits["train"]
    trained = (rows >= start) & (rows < end)
    return Driving(
        audio,
        landmarks,
        torch.from_numpy(upper_face(track.blendshapes[rows])),
        torch.from_numpy(track.camera_to_head[rows]),
        torch.from_numpy(dataset.torso_motion[rows]),
        torch.from_numpy(np.where(trained, rows - start + 1, 0)),
        track.fps,
        torch.from_numpy(dataset.torso_bend[rows]),
    )


class SoundWindows:
    """Feature windows of a dataset's frames, cut when asked for: all hold each row thirty times."""

    def __init__(self, dataset: Dataset) -> None:
        """Of all frames, on the CPU until :meth:`move`."""
        sound, frames = dataset.audio, np.arange(dataset.manifest.frames)
        rows = sound.window_rows(frames / dataset.track.fps, WINDOW)
        # One row more than the sound has, of zeros: what windows hold outside it.
        inside = (rows >= 0) & (rows < len(sound.values))
        self.rows = torch.from_numpy(np.where(inside, rows, len(sound.values)))
        self.values = torch.from_numpy(np.pad(sound.values, ((0, 1), (0, 0))))

    def move(self, device: torch.device) -> None:
        """To the training device."""
        self.rows, self.values = self.rows.to(device), self.values.to(device)

    def of(self, frames: Tensor) -> Tensor:
        """(T, 30, D) windows of (T,) frames, those of :func:`dataset_driving`."""
        return self.values[self.rows[frames]]
