"""Nods on the stressed syllables of the sound, over any head motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from nerf_talker.audio.sound import RATE, read_sound
from nerf_talker.drive.motion.chart import PoseChart, Values
from nerf_talker.drive.motion.poses import Motion
from nerf_talker.types import Driving

# The nods' own velocity as a part of the clip's: it raises the whole by a tenth, no more.
PART = 0.45
# Seconds over which loudness is a stress, against those over which it is a phrase.
STRESS, PHRASE = 0.12, 0.7
NEAR = 0.1  # seconds by which the head moves before the loudest instant


def loudness(sound: Path, fps: float, frames: int) -> Values:
    """(frames,) loudness of a sound file in dB over its own noise floor, at least 0.

    Raises:
        InputError: The file cannot be read.
    """
    samples = read_sound(sound).astype(np.float64)
    edges = np.round(np.arange(frames + 1) / fps * RATE).astype(np.int64)
    total = np.concatenate([[0.0], np.cumsum(samples**2)])[np.minimum(edges, len(samples))]
    level = 10 * np.log10(np.maximum(np.diff(total) / np.maximum(np.diff(edges), 1), 1e-8))
    return np.asarray(np.maximum(level - max(float(np.percentile(level, 5)), -55.0), 0))


class Nods:
    """Motion whose head dips with the stresses of speech, as speakers' heads do.

    The correlation of head motion with stress is that of Munhall et al. 2004; how much is of the
    clip, so that a calm speaker stays calm.
    """

    def __init__(self, motion: Motion, reference: Driving, level: Values) -> None:
        """Nods by the (T,) loudness ``level`` over ``motion``, at the scale of ``reference``."""
        self.motion, self.chart = motion, PoseChart(reference.camera_to_head)
        pitch = self.chart.coordinates(reference.camera_to_head)[:, 0]
        self.nods = _nods(level, reference.fps, float(np.sqrt(np.mean(np.diff(pitch) ** 2))))

    def frames(self, start: int, stop: int) -> Driving:
        """Motion with the nods of frames [start, stop)."""
        motion = self.motion.frames(start, stop)
        rows = np.clip(np.arange(start, stop), 0, len(self.nods) - 1)
        poses = self.chart.coordinates(motion.camera_to_head)
        # About the camera's x axis, which points to the right, so that the chin goes down.
        poses[:, 0] += self.nods[rows]
        return replace(motion, camera_to_head=self.chart.poses(poses))


def _nods(level: Values, fps: float, speed: float) -> Values:
    """(T,) radians: what of the loudness is stress, as fast as the wanted part of ``speed``."""
    stress = gaussian_filter1d(level, STRESS * fps) - gaussian_filter1d(level, PHRASE * fps)
    early = np.interp(np.arange(len(level)) + NEAR * fps, np.arange(len(level)), stress)
    # Before the first word and in pauses the head does not wait for stresses.
    spoken = np.clip(gaussian_filter1d(level, STRESS * fps) / 10, 0, 1)
    wave = early * spoken
    own = float(np.sqrt(np.mean(np.diff(wave) ** 2))) if len(wave) > 1 else 0.0
    return np.asarray(wave * (PART * speed / own if own > 1e-6 else 0.0))
