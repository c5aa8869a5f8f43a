"""The extractor ``articulation39``: our own small speech encoder, for any voice and language.

Trained by ``python -m nerf_talker.audio.pretrain`` on synthesised and recorded speech of many
languages; ``articulation.md`` beside the weights is its model card.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nerf_talker.audio.articulation_net import (
    HOP,
    LEFT_SAMPLES,
    LOOK_AHEAD_SECONDS,
    LOWEST_PEAK,
    RIGHT_SAMPLES,
    ArticulationNet,
)
from nerf_talker.audio.extractor import Extractor, Follow
from nerf_talker.audio.phonetics import CLASS_NAMES, CURVES, SILENCE
from nerf_talker.errors import WeightsError
from nerf_talker.types import FloatArray

WEIGHTS = Path(__file__).with_name("articulation.safetensors")
COLUMNS = (*(f"P({name})" for name in CLASS_NAMES), *CURVES, "level", "voice_activity")
"""What each of the 39 columns holds."""

# Rows computed together: the memory needed does not grow with the sound.
BLOCK = 1000


@functools.cache
def load_net(path: Path = WEIGHTS) -> ArticulationNet:
    """The trained network in single precision.

    Raises:
        WeightsError: The file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    net = ArticulationNet()
    try:
        net.load_state_dict({k: v.float() for k, v in load_file(str(path)).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path}: {reason}; reinstall nerf-talker") from None
    return net.eval()


class ArticulationStream:
    """Features of sound that arrives piece by piece; a row comes 0.12 s after its middle."""

    def __init__(self, net: ArticulationNet | None = None) -> None:
        """Begin with silence before the first sample."""
        self._net = net or load_net()
        self._buffer = np.zeros(LEFT_SAMPLES, np.float32)
        self._peak = torch.tensor([LOWEST_PEAK])
        self._heard = self._given = 0

    def push(self, samples: npt.ArrayLike) -> FloatArray:
        """The rows that (n,) further samples in [-1, 1] at 16 kHz complete: (A, 39), A may be 0."""
        new = np.asarray(samples, np.float32)
        self._heard += len(new)
        self._buffer = np.concatenate([self._buffer, new])
        ready = (len(self._buffer) - LEFT_SAMPLES - RIGHT_SAMPLES) // HOP + 1
        return self._rows(max(ready, 0))

    def finish(self) -> FloatArray:
        """The last rows, with silence after the last sample; one row at least in all."""
        missing = max(-(-self._heard // HOP), 1) - self._given
        wanted = LEFT_SAMPLES + (missing - 1) * HOP + RIGHT_SAMPLES
        self._buffer = np.pad(self._buffer, (0, max(wanted - len(self._buffer), 0)))
        return self._rows(missing)

    @torch.no_grad()
    def _rows(self, count: int) -> FloatArray:
        done = []
        while count > 0:
            rows = min(count, BLOCK)
            length = LEFT_SAMPLES + (rows - 1) * HOP + RIGHT_SAMPLES
            heard, self._peak = self._net(torch.from_numpy(self._buffer[None, :length]), self._peak)
            done.append(columns(heard.logits[0], heard.curves[0], heard.level[0]))
            self._buffer = self._buffer[rows * HOP :]
            self._given += rows
            count -= rows
        return np.concatenate(done) if done else np.empty((0, len(COLUMNS)), np.float32)


def columns(logits: Tensor, curves: Tensor, level: Tensor) -> FloatArray:
    """(A, 39) features from what the network says of A rows."""
    posteriors = logits.softmax(-1)
    active = 1 - posteriors[:, CLASS_NAMES.index(SILENCE), None]
    return torch.cat([posteriors, curves, level[:, None], active], -1).numpy()


class Articulation(Extractor):
    """Posteriors of 29 classes of speech sounds, 8 articulatory curves, level, voice activity."""

    name = "articulation39"
    dims = len(COLUMNS)
    look_ahead = LOOK_AHEAD_SECONDS

    def _rows(self, samples: FloatArray, rows: int, follow: Follow) -> FloatArray:
        stream = ArticulationStream()
        steps = range(0, max(len(samples), 1), BLOCK * HOP)
        parts = [stream.push(samples[first : first + BLOCK * HOP]) for first in follow(steps)]
        return np.concatenate([*parts, stream.finish()])
