"""Small videos of the sample head for tests of two-video evaluation."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch

from nerf_talker.audio.logmel import log_mel
from nerf_talker.data.sample_speech import RATE
from nerf_talker.data.synthetic import render_sample, sample_sound
from nerf_talker.evaluate.crop_reader import MouthPlace
from nerf_talker.evaluate.sync_witness import sound_windows
from nerf_talker.geometry.mesh import POINTS
from nerf_talker.losses.sync_expert import SyncExpertConfig
from nerf_talker.losses.sync_learning import SyncClip, learn_expert

SIZE, FPS, SECONDS = 96, 25, 5.2
QUICK = SyncExpertConfig(hidden=16, components=8, steps=60)


@lru_cache(maxsize=1)
def sample():
    """(F, 96, 96, 3) frames, (F, 478, 3) landmarks in pixels and the sound of the sample clip."""
    made = render_sample(SECONDS, SIZE, 3)
    frames = np.stack([picture.rgb for picture in made.pictures])
    points = np.stack([picture.landmarks for picture in made.pictures])
    assert points.shape[1] == POINTS
    return frames, points.astype(np.float32), sample_sound(made.performance, 3)


@lru_cache(maxsize=1)
def sample_expert():
    """A small lip-sync expert learned on the sample clip."""
    frames, points, sound = sample()
    place = MouthPlace.learn(points[:, :, :2], list(range(len(points))))
    mouths = np.stack([place.small(f, k).astype(np.float32) for k, f in enumerate(frames)])
    heard = sound_windows(log_mel(sound, RATE), FPS, range(len(frames)), QUICK)
    return learn_expert([SyncClip(torch.from_numpy(mouths), heard)], QUICK)


def write_video(path, frames, fps=FPS, sound=None):
    """A lossless video of (F, H, W, 3) uint8 frames."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        voice = (
            container.add_stream("pcm_s16le", rate=RATE, layout="mono")
            if sound is not None
            else None
        )
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode())
        if voice is not None:
            samples = np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
            block = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
            block.sample_rate, block.pts, block.time_base = RATE, 0, Fraction(1, RATE)
            container.mux(voice.encode(block))
            container.mux(voice.encode())
    return path


def write_landmarks(path, points):
    """Landmarks as a user supplies them."""
    np.savez(path, landmarks=points, blendshapes=scores(points))
    return path


def scores(points):
    """(F, 52) stand-ins for blendshapes: the jaw opens with the lips."""
    from nerf_talker.geometry.mesh import lip_gap

    values = np.zeros((len(points), 52), np.float32)
    values[:, 25] = np.nan_to_num(lip_gap(points))
    return values
