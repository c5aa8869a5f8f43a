"""A clip's motion for tests: smooth, with blinks, and a source that says nothing."""

from dataclasses import replace

import numpy as np
import torch

from nerf_talker.drive.motion.chart import PoseChart
from nerf_talker.drive.motion.poses import Replay
from nerf_talker.types import Driving

FPS = 25.0
TURNS = (0.035, 0.045, 0.02)  # radians of pitch, yaw, roll
SHIFTS = (0.008, 0.004, 0.005)  # metres


def wander(random, count, slow, scale):
    """(count,) numbers of the given deviation that change over about ``slow`` frames."""
    from scipy.ndimage import gaussian_filter1d

    noise = gaussian_filter1d(random.standard_normal(count + 8 * slow), slow)[4 * slow : -4 * slow]
    return scale * (noise - noise.mean()) / max(noise.std(), 1e-9)


def clip(count=1500, seed=0):
    """Driving without a mouth: a head that wanders, breathes and blinks every 100 frames."""
    random = np.random.default_rng(seed)
    still = torch.eye(4).expand(3, 4, 4).clone()
    still[:, 2, 3] = -0.8
    chart = PoseChart(still)
    scales = (*TURNS, *SHIFTS)
    waves = ((3, 0.06), (15, 0.6), (60, 0.8))
    moved = [
        sum(wander(random, count, slow, part * scale) for slow, part in waves) for scale in scales
    ]
    poses = chart.poses(chart.mean + np.stack(moved, 1))
    expression = np.stack([0.2 + wander(random, count, 20, 0.05) for _ in range(9)], 1)
    lids = 0.08 + 0.01 * random.random(count)
    for begin in range(30, count - 10, 100):
        lids[begin : begin + 7] = (0.2, 0.45, 0.6, 0.6, 0.45, 0.3, 0.15)
        expression[begin : begin + 7, 8] -= 0.3
    expression[:, 5:7] = lids[:, None]
    torso = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(count, 1)
    torso[:, 2] += torch.from_numpy(moved[3]).float()
    rows = torch.zeros(count, dtype=torch.int64)
    values = torch.from_numpy(expression).float().clamp(0, 1)
    return Driving(None, None, values, poses, torso, rows, FPS)


class Silent:
    """Frames of a clip to and fro with zero sound."""

    def __init__(self, reference, frames, features=40):
        self.motion, self.frames, self.features = Replay(reference), frames, features
        self.fps = reference.fps

    def __len__(self):
        return self.frames

    def chunk(self, start, stop):
        assert 0 <= start < stop <= self.frames
        audio = torch.zeros(stop - start, 30, self.features)
        return replace(self.motion.frames(start, stop), audio=audio)


def whole(source, chunk=50):
    """All frames of a source in one, asked for in chunks."""
    parts = [
        source.chunk(start, min(start + chunk, len(source)))
        for start in range(0, len(source), chunk)
    ]
    return joined(parts)


def joined(parts):
    names = [n for n, v in vars(parts[0]).items() if isinstance(v, torch.Tensor)]
    return replace(parts[0], **{n: torch.cat([getattr(p, n) for p in parts]) for n in names})


def same(first, second):
    """Whether all channels are equal to the bit, but the mouth to a micrometre.

    Products of matrices round by how many rows are multiplied at once.
    """
    pairs = [(n, getattr(first, n), getattr(second, n)) for n in vars(first)]
    return all(
        torch.allclose(a, b, rtol=0, atol=1e-6 if n == "landmarks" else 0)
        if isinstance(a, torch.Tensor)
        else a == b
        for n, a, b in pairs
    )
