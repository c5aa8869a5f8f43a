"""How loud a stream is: brought to the level that was learned, and remembered for its pauses."""

from __future__ import annotations

import numpy as np

from nerf_talker.audio.quality import (
    BLOCK_SECONDS,
    QUIETEST_SPEECH_DB,
    SPEECH_PERCENTILE,
    block_levels,
    gain_between,
)
from nerf_talker.audio.sound import RATE
from nerf_talker.errors import ConfigError
from nerf_talker.types import FloatArray

SIZE = round(BLOCK_SECONDS * RATE)  # samples of a block
# Blocks that pauses are told by, 30 s: the loudest sound reaches no further.
REMEMBERED = 1500
# Seconds of speech that the assumption counts for, that it is as loud as what was learned.
ASSUMED = 1.0
_BINS = 10  # per decibel


class StreamLevels:
    """Levels of a sound's blocks as they come; memory does not grow with the sound.

    Attributes:
        first: Number of the first block that is remembered.
        values: (blocks,) levels of those from there on, decibels of full scale, as they came.
    """

    def __init__(self, wanted: float, level: float | None) -> None:
        """Begin before the first sample.

        Args:
            wanted: Level of the speech that was learned; infinite where it is not known.
            level: Level of this speaker's, if known. None finds it out on the way, from the blocks
                so far that are as loud as speech.

        Raises:
            ConfigError: A level that no speech has.
        """
        if level is not None and not QUIETEST_SPEECH_DB <= level <= 0:
            raise ConfigError(
                f"level {level:g} dB: speech has {QUIETEST_SPEECH_DB:g} to 0 dB of full scale; "
                "give the level of the speaker's speech, or None to have it found"
            )
        self.wanted, self.level = wanted, level
        self.first = 0
        self.values: FloatArray = np.zeros(0, np.float32)
        self._rest = np.zeros(0, np.float32)
        self._counts = np.zeros(round(-QUIETEST_SPEECH_DB * _BINS) + 1, np.int64)

    def push(self, samples: FloatArray) -> FloatArray:
        """(n,) further samples, changed to the level that was learned.

        The factor of a block depends on the blocks before it alone, so nothing waits for it and
        the cuts between pieces make no difference.
        """
        heard = np.concatenate([self._rest, samples])
        found, parts = [], []
        for start in range(0, len(heard), SIZE):
            block = heard[start : start + SIZE]
            parts.append(block * np.float32(gain_between(self.speech_level, self.wanted)))
            if len(block) == SIZE:
                found.append(float(block_levels(block)[0]))
                self._count(found[-1])
        changed = np.concatenate([np.zeros(0, np.float32), *parts])[len(self._rest) :]
        self._rest = heard[len(heard) - len(heard) % SIZE :]
        self.values = np.concatenate([self.values, found])
        return changed

    def before(self, block: int) -> tuple[int, FloatArray]:
        """Levels of the :data:`REMEMBERED` blocks before one, and the first one's number."""
        stop = min(block, self.first + len(self.values))
        start = max(stop - REMEMBERED, self.first)
        return start, self.values[start - self.first : stop - self.first]

    def forget(self, block: int) -> None:
        """Keep only what :meth:`before` needs for this block and those after it."""
        start, _ = self.before(block)
        self.values, self.first = self.values[start - self.first :], start

    @property
    def speech_level(self) -> float:
        """Decibels of full scale of the speech, as far as is known."""
        if self.level is not None or not np.isfinite(self.wanted):
            return self.wanted if self.level is None else self.level
        heard = int(self._counts.sum())
        if not heard:
            return self.wanted
        # From the loudest down, as many as are louder than the percentile.
        place = np.searchsorted(
            np.cumsum(self._counts[::-1]), (1 - SPEECH_PERCENTILE / 100) * heard
        )
        own = -float(place) / _BINS
        assumed = ASSUMED / BLOCK_SECONDS
        return (assumed * self.wanted + heard * own) / (assumed + heard)

    def _count(self, level: float) -> None:
        if level >= QUIETEST_SPEECH_DB:
            place = round((level - QUIETEST_SPEECH_DB) * _BINS)
            self._counts[min(place, len(self._counts) - 1)] += 1
