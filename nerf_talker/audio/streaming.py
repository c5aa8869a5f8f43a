"""Speech features of sound that arrives piece by piece, and of files of any length.

Every extractor sees no further than its ``look_ahead`` and normalises nothing over the whole sound,
so its rows can be computed from a moving piece of the sound with some context on either side; the
speech encoder of our own carries its state along instead.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.articulation import EncoderFeatures
from nerf_talker.audio.extractor import Extractor, checked_sound
from nerf_talker.audio.quality import BLOCK_SECONDS, block_levels
from nerf_talker.audio.sound import RATE, read_sound, stream_sound
from nerf_talker.errors import InputError
from nerf_talker.types import AudioFeatures, FloatArray

BLOCK = 20 * RATE
"""Samples of a file that are heard together; decides the memory needed, not the result."""

# Rows look back as far as ahead, and a little further where something is subtracted before.
_MORE_BEHIND = 0.1
# Extractors place their windows on video frames of two rows.
_ALIGNED = 2


class FeatureStream(Protocol):
    """Turns pieces of one sound into rows of features, in order and each once."""

    def push(self, samples: npt.ArrayLike) -> FloatArray:
        """The rows (A, D) that (n,) further samples complete; A may be 0."""

    def finish(self) -> FloatArray:
        """The last rows, with silence after the last sample; one row at least in all."""


class WindowedStream:
    """Any extractor over a moving piece of the sound."""

    def __init__(self, extractor: Extractor) -> None:
        """Begin before the first sample."""
        self.extractor = extractor
        self._hop = round(RATE / extractor.rate)
        behind = math.ceil((extractor.look_ahead + _MORE_BEHIND) * extractor.rate)
        self._behind = behind + behind % _ALIGNED
        self._sound = np.zeros(0, np.float32)
        self._first = 0  # row at which the kept sound begins
        self._heard = self._given = 0

    def push(self, samples: npt.ArrayLike) -> FloatArray:
        """See :class:`FeatureStream`."""
        piece = np.asarray(samples, np.float32)
        self._heard += len(piece)
        self._sound = np.concatenate([self._sound, piece])
        ahead = self.extractor.look_ahead * RATE
        return self._rows_until(math.floor((self._heard - ahead) / self._hop) + 1)

    def finish(self) -> FloatArray:
        """See :class:`FeatureStream`."""
        return self._rows_until(max(-(-self._heard // self._hop), 1))

    def _rows_until(self, stop: int) -> FloatArray:
        if stop <= self._given:
            return np.empty((0, self.extractor.dims), np.float32)
        values = self.extractor.features(self._sound).values
        made = values[self._given - self._first : stop - self._first]
        self._given = stop
        first = max(stop - self._behind, 0)
        first -= first % _ALIGNED
        self._sound = self._sound[(first - self._first) * self._hop :]
        self._first = first
        return made


def feature_stream(extractor: Extractor) -> FeatureStream:
    """A stream of an extractor's features.

    Raises:
        InputError: The features come from a file made for one whole sound.
    """
    if extractor.is_supplied:
        raise InputError(
            f"the speech features '{extractor.name}' come from a file of one whole sound; sound "
            "that is still being spoken needs an avatar trained on features computed here"
        )
    if isinstance(extractor, EncoderFeatures):
        return extractor.stream()
    return WindowedStream(extractor)


Watch = Callable[[Iterable[FloatArray]], Iterable[FloatArray]]
"""Walks through the blocks of a sound and may show how far it is."""


def levels_of_file(path: Path) -> FloatArray:
    """(blocks,) levels of a sound file, as :func:`nerf_talker.audio.quality.block_levels` of it.

    Raises:
        InputError: The file cannot be read or holds no sound.
    """
    levels, heard = [], 0
    for block in _blocks(path):
        levels.append(block_levels(block))
        heard += len(block)
    whole = max(heard // round(BLOCK_SECONDS * RATE), 1)
    return np.concatenate(levels)[:whole]


def features_of_file(
    extractor: Extractor, path: Path, gain: float = 1.0, watch: Watch = iter
) -> tuple[AudioFeatures, float]:
    """Features of a sound file, held on disk so that an hour needs the memory of a minute.

    Args:
        extractor: Whose.
        path: Any container with a sound track.
        gain: Factor on the sound.
        watch: Shows progress where it takes long.

    Returns:
        The features and the sound's length in seconds.

    Raises:
        InputError: The file cannot be read, holds no sound, or samples that are not numbers.
    """
    if extractor.is_supplied:
        samples = read_sound(path)
        return extractor.features(samples * np.float32(gain)), len(samples) / RATE
    stream, heard, rows = feature_stream(extractor), 0, 0
    with tempfile.TemporaryFile() as spilt:
        for block in watch(_blocks(path)):
            sound = checked_sound(block, RATE, heard / RATE)
            heard += len(block)
            made = stream.push(sound * np.float32(gain))
            rows += len(made)
            spilt.write(np.ascontiguousarray(made, np.float32).tobytes())
        made = stream.finish()
        rows += len(made)
        spilt.write(np.ascontiguousarray(made, np.float32).tobytes())
        spilt.flush()
        values = np.memmap(spilt, np.float32, "r", shape=(rows, extractor.dims))
    return AudioFeatures(values, extractor.rate, extractor.name, 0.0), heard / RATE


def _blocks(path: Path) -> Iterator[FloatArray]:
    """The sound in blocks of :data:`BLOCK` samples, the last one shorter."""
    held: list[FloatArray] = []
    for piece in stream_sound(path):
        held.append(piece)
        while sum(map(len, held)) >= BLOCK:
            joined = np.concatenate(held)
            held = [joined[BLOCK:]]
            yield joined[:BLOCK]
    yield np.concatenate(held)
