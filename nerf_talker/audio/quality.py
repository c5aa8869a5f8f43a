"""How well a recording of speech came out: level, noise in its pauses, clipping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.audio.sound import RATE
from nerf_talker.types import FloatArray

BLOCK_SECONDS = 0.02
# Levels of the blocks that stand for the noise in the pauses and for the speech.
NOISE_PERCENTILE, SPEECH_PERCENTILE = 5, 90
QUIETEST_DB = -100.0
# Where nothing is as loud as this, nobody speaks: a whisper into a distant microphone.
QUIETEST_SPEECH_DB = -43.0
LARGEST_CHANGE_DB = 20.0
# A sample this near to the largest is at the limit; so many in a row were cut off there.
AT_LIMIT, RUN = 0.995, 3
# The limit of a recording that was turned down after clipping is lower, but never this low.
LOWEST_LIMIT = 0.25


@dataclass(frozen=True)
class SoundQuality:
    """Figures of a recording.

    Attributes:
        seconds: Its length.
        level: Root mean square of the whole in dB of full scale.
        noise: Level of the quietest parts in dB.
        snr: How far the speech stands above them, in dB.
        clipped: Share of the samples that were cut off.
    """

    seconds: float
    level: float
    noise: float
    snr: float
    clipped: float


def sound_quality(samples: FloatArray, rate: int = RATE) -> SoundQuality:
    """Measure a recording.

    Args:
        samples: (samples,) float in [-1, 1], at least one block of 20 ms.
        rate: Samples per second.
    """
    levels = block_levels(samples, rate)
    noise, speech = np.percentile(levels, (NOISE_PERCENTILE, SPEECH_PERCENTILE))
    return SoundQuality(
        seconds=len(samples) / rate,
        level=float(_decibels(np.square(samples, dtype=np.float64).mean())),
        noise=float(noise),
        snr=float(speech - noise),
        clipped=_clipped(samples),
    )


def speech_level(samples: FloatArray, rate: int = RATE) -> float:
    """How loud the speech in a recording is, whatever its pauses: decibels of full scale."""
    return float(np.percentile(block_levels(samples, rate), SPEECH_PERCENTILE))


def gain_to_level(levels: FloatArray, level: float) -> float:
    """Factor that makes speech of the given block levels as loud as other speech.

    Features that hear loudness then hear the loudness that they were learned at.
    At most 20 dB; 1 for an unknown level, and for sound without speech, which would be brought up
    to speech's level.

    Args:
        levels: (blocks,) from :func:`block_levels`.
        level: Wanted, as :func:`speech_level` gives it.
    """
    return gain_between(float(np.percentile(levels, SPEECH_PERCENTILE)), level)


def gain_between(own: float, level: float) -> float:
    """:func:`gain_to_level` of speech that is known to be ``own`` decibels loud."""
    if not np.isfinite(level) or not own >= QUIETEST_SPEECH_DB:  # NaN too
        return 1.0
    change = np.clip(level - own, -LARGEST_CHANGE_DB, LARGEST_CHANGE_DB)
    return float(10 ** (change / 20))


def block_levels(samples: FloatArray, rate: int = RATE) -> FloatArray:
    """(blocks,) level of every 20 ms in dB of full scale; one block at least, the rest dropped."""
    size = round(BLOCK_SECONDS * rate)
    count = max(len(samples) // size, 1)
    blocks = np.resize(np.asarray(samples, np.float64), (count, size))
    return _decibels((blocks**2).mean(1))


def _decibels(power: FloatArray) -> FloatArray:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (QUIETEST_DB / 10))))


def _clipped(samples: FloatArray) -> float:
    """Share of samples in runs at the largest value; a lone peak is no clipping."""
    size = np.abs(samples)
    largest = float(size.max(initial=0))
    if largest < LOWEST_LIMIT:
        return 0.0
    high = size >= AT_LIMIT * largest
    edges = np.flatnonzero(np.diff(np.concatenate([[False], high, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= RUN].sum() / len(samples))
