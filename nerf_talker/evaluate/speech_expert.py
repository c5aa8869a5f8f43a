"""The lip gap that the sound makes one expect, learned from training frames or from many voices.

A ridge regression maps the dataset's speech features around a frame to the tracked lip gap. What
it expects in the measured frames is then compared with what a prediction shows, over lags. It
tells sync far better than loudness does (a mouth is loud and half open, or open and silent), and
being fitted on the training frames it measures sync relative to them. It is no SyncNet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nerf_talker.audio.articulation import COLUMNS, Articulation
from nerf_talker.evaluate.lips import Series
from nerf_talker.evaluate.ridge import Ridge
from nerf_talker.evaluate.sound import Sound
from nerf_talker.geometry.mesh import lip_gap

if TYPE_CHECKING:
    from nerf_talker.data.dataset import Dataset

HALF_WINDOW = 0.15
"""Seconds of sound on either side of the frame's middle: about one syllable in all."""


def expected_gaps(dataset: Dataset, frames: range) -> Series:
    """(len(frames),) expected lip gap, in units of the eyes' distance."""
    fps, audio = dataset.manifest.fps, dataset.audio
    width = 2 * round(HALF_WINDOW * audio.rate) + 1
    train = [k for k in dataset.manifest.range("train") if dataset.track.valid[k]]

    def features(wanted: np.ndarray) -> Series:
        windows = audio.windows((wanted + 0.5) / fps, width)
        return windows.reshape(len(wanted), -1).astype(np.float64)

    known = features(np.array(train))
    mean, spread = known.mean(0), known.std(0) + 1e-6
    ridge = Ridge.fit((known - mean) / spread, lip_gap(dataset.track.landmarks[train]))
    return ridge((features(np.array(frames)) - mean) / spread)


def heard_opening(sound: Sound, frames: range, fps: float) -> Series:
    """(len(frames),) lip opening in [0, 1] that the extractor ``articulation39`` hears.

    It knows no person and was fitted on many voices: its scale says nothing, its timing does.
    """
    features = Articulation().features(sound.levels(), sound.rate)
    opening = features.values[:, COLUMNS.index("opening")].astype(np.float64)
    times = features.offset + np.arange(len(opening)) / features.rate
    return np.interp((np.array(frames) + 0.5) / fps, times, opening)
