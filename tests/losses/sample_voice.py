"""The sample character's mouth as numbers with its sound: no picture is drawn."""

import numpy as np
import torch

from nerf_talker.audio.logmel import log_mel
from nerf_talker.data.sample_motion import FPS, perform
from nerf_talker.data.sample_speech import RATE
from nerf_talker.data.synthetic import sample_sound
from nerf_talker.losses.sync_expert import SyncExpertConfig
from nerf_talker.losses.sync_learning import SyncClip

SMALL = SyncExpertConfig(hidden=16, components=4, steps=400)


def sample_voice(seconds, seed=0):
    """A clip of four mouth numbers per frame and the sound windows of its frames."""
    performance = perform(seconds, seed)
    mouths = [(f.gap, f.jaw, f.width, f.protrusion) for f in performance.faces]
    heard = log_mel(sample_sound(performance, seed), RATE)
    times = (np.arange(len(mouths)) + 0.5) / FPS
    windows = heard.windows(times, SMALL.sound_rows)
    return SyncClip(torch.tensor(mouths, dtype=torch.float32), torch.from_numpy(windows))


def part(clip, first, last):
    return SyncClip(clip.mouths[first:last], clip.sound[first:last])


def planted(mouths, sound, late):
    """Embeddings of the same frames with the mouth ``late`` frames behind its sound."""
    count = len(mouths) - abs(late)
    if late >= 0:
        return mouths[:count], sound[late : late + count]
    return mouths[-late:], sound[:count]
