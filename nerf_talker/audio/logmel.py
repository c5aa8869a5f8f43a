"""Log-mel features on a 50 Hz clock, the default audio front-end ``logmel40``.

Row k is centred on k / 50 seconds: the sound is padded by half a window on the left, so a delay of
the sound by one video frame (1/25 s) is a delay of the features by exactly two rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.extractor import Extractor, Follow
from nerf_talker.audio.sound import RATE as SOUND_RATE
from nerf_talker.types import AudioFeatures, FloatArray

EXTRACTOR = "logmel40"
RATE = 50.0
FILTERS = 40
WINDOW_SECONDS = 0.032
LOWEST, HIGHEST = 50.0, 7600.0
# Energy below this, on the scale of samples in [-1, 1], counts as silence: about the energy of
# the rounding of 16-bit sound. Without a floor the logarithm of digital silence dominates.
SILENCE = 1e-8


# Rows computed together: the memory needed does not grow with the sound.
BLOCK = 256


def log_mel(samples: npt.ArrayLike, rate: int, block: int = BLOCK) -> AudioFeatures:
    """Log-mel energies of a sound.

    Args:
        samples: (samples,) float in [-1, 1], mono.
        rate: Samples per second; at least twice :data:`HIGHEST`.
        block: Rows computed together; changes the memory needed, not the result.

    Returns:
        (A, 40) features at 50 Hz with offset 0 and ``A = ceil(seconds * 50)``, at least 1;
        always finite.
    """
    samples = np.asarray(samples)
    hop = round(rate / RATE)
    rows = max(-(-len(samples) // hop), 1)
    values = np.empty((rows, FILTERS), np.float32)
    for first in range(0, rows, block):
        last = min(first + block, rows)
        values[first:last] = log_energies(samples, rate, first, last, FILTERS)
    return AudioFeatures(values, RATE, EXTRACTOR, 0.0)


def log_energies(
    samples: npt.NDArray[Any], rate: int, first: int, last: int, filters: int
) -> FloatArray:
    """(last - first, filters) log energies of rows that may lie before or after the sound.

    One more row is computed in front and dropped: its samples are what pre-emphasis subtracts from
    the first sample of the next window.
    """
    from python_speech_features.base import fbank

    window, hop = round(WINDOW_SECONDS * rate), round(rate / RATE)
    start = (first - 1) * hop - window // 2
    part = np.zeros((last - first) * hop + window)
    begin, end = max(start, 0), min(start + len(part), len(samples))
    if end > begin:
        part[begin - start : end - start] = samples[begin:end]
    energies, _ = fbank(
        part,
        rate,
        winlen=window / rate,
        winstep=hop / rate,
        nfilt=filters,
        nfft=512 if window <= 512 else int(2 ** np.ceil(np.log2(window))),
        lowfreq=LOWEST,
        highfreq=min(HIGHEST, rate / 2),
        winfunc=np.hanning,
    )
    return np.log(np.maximum(energies[1:], SILENCE)).astype(np.float32)


class LogMel(Extractor):
    """Log-mel energies: :func:`log_mel` behind the interface of all extractors."""

    name = EXTRACTOR
    dims = FILTERS
    look_ahead = WINDOW_SECONDS / 2

    def _rows(self, samples: FloatArray, rows: int, follow: Follow) -> FloatArray:
        return log_mel(samples, SOUND_RATE).values
