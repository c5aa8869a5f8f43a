"""The extractors of our own small speech encoder, for any voice and language.

``articulation39`` is what the encoder says, in words of phonetics; ``hearing`` is the layer that it
says it from, which tells one person's lips better, and whether someone speaks.

Trained by ``python -m nerf_talker.audio.pretrain`` on synthesised and recorded speech of many
languages; ``articulation.md`` beside the weights is its model card.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nerf_talker.audio.articulation_net import CHANNELS as HIDDEN
from nerf_talker.audio.articulation_net import (
    HOP,
    LEFT_SAMPLES,
    LOOK_AHEAD_SECONDS,
    LOWEST_PEAK,
    RIGHT_SAMPLES,
    ArticulationNet,
)
from nerf_talker.audio.articulation_net import Articulation as Heard
from nerf_talker.audio.extractor import Extractor, Follow
from nerf_talker.audio.phonetics import CLASS_NAMES, CURVES, SILENCE
from nerf_talker.errors import WeightsError
from nerf_talker.threads import one_thread
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


def columns(heard: Heard) -> FloatArray:
    """(A, 39) features in words of phonetics from what the network heard in (1, A) rows."""
    posteriors = heard.logits[0].softmax(-1)
    parts = (posteriors, heard.curves[0], heard.level[0, :, None], voice_activity(heard))
    return torch.cat(parts, -1).numpy()


def hidden_columns(heard: Heard) -> FloatArray:
    """(A, 193) the hidden layer and voice activity from what the network heard in (1, A) rows."""
    return torch.cat([heard.hidden[0], voice_activity(heard)], -1).numpy()


def voice_activity(heard: Heard) -> Tensor:
    """(A, 1) probability that someone speaks."""
    return 1 - heard.logits[0].softmax(-1)[:, CLASS_NAMES.index(SILENCE), None]


class ArticulationStream:
    """Features of sound that arrives piece by piece; a row comes 0.12 s after its middle."""

    def __init__(
        self, read: Callable[[Heard], FloatArray] = columns, width: int = len(COLUMNS)
    ) -> None:
        """Begin with silence before the first sample; ``read`` makes rows of ``width`` values."""
        self._net, self._read, self._width = load_net(), read, width
        self._buffer = np.zeros(LEFT_SAMPLES, np.float32)
        self._peak = torch.tensor([LOWEST_PEAK])
        self._heard = self._given = 0

    def push(self, samples: npt.ArrayLike) -> FloatArray:
        """The rows that (n,) further samples in [-1, 1] at 16 kHz complete: (A, D), A may be 0."""
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
            with one_thread():  # features are the same to the bit on every machine
                piece = torch.from_numpy(self._buffer[None, :length])
                heard, self._peak = self._net(piece, self._peak)
            done.append(self._read(heard))
            self._buffer = self._buffer[rows * HOP :]
            self._given += rows
            count -= rows
        return np.concatenate(done) if done else np.empty((0, self._width), np.float32)


class EncoderFeatures(Extractor):
    """Features read from the speech encoder, which carries the loudest of late along."""

    look_ahead = LOOK_AHEAD_SECONDS
    voice_activity = -1
    read: Callable[[Heard], FloatArray]

    def stream(self) -> ArticulationStream:
        """The same features of sound that arrives piece by piece."""
        return ArticulationStream(type(self).read, self.dims)

    def _rows(self, samples: FloatArray, rows: int, follow: Follow) -> FloatArray:
        stream = self.stream()
        steps = range(0, max(len(samples), 1), BLOCK * HOP)
        parts = [stream.push(samples[first : first + BLOCK * HOP]) for first in follow(steps)]
        return np.concatenate([*parts, stream.finish()])


class Articulation(EncoderFeatures):
    """Posteriors of 29 classes of speech sounds, 8 articulatory curves, level, voice activity."""

    name = "articulation39"
    dims = len(COLUMNS)
    read = staticmethod(columns)


class Hearing(EncoderFeatures):
    """The encoder's hidden layer and voice activity.

    The layer means nothing without the weights that made it, so the name holds their digest: an
    avatar never hears through others.
    """

    kind = "hearing"
    dims = HIDDEN + 1
    read = staticmethod(hidden_columns)

    def __init__(self) -> None:
        """Read which weights there are."""
        self.name = f"{self.kind}:{_digest()}"


@functools.cache
def _digest() -> str:
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:8]
