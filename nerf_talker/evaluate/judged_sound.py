"""The sound that sync is judged by: log-mel, whatever features the talker hears through.

So figures of talkers with other features can stand side by side, and an expert learned on one
dataset can judge any other.
"""

from __future__ import annotations

from dataclasses import replace

from nerf_talker.audio.logmel import EXTRACTOR, log_mel
from nerf_talker.audio.sound import RATE, read_sound
from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles


def with_judged_sound(dataset: Dataset) -> Dataset:
    """The dataset with log-mel features, its own where its sound is not at hand."""
    path = DatasetFiles(dataset.root).sound
    if dataset.audio.extractor == EXTRACTOR or not path.is_file():
        return dataset
    return replace(dataset, audio=log_mel(read_sound(path), RATE))
