"""Driving from the frames of a dataset: the same container that new speech will fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

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
