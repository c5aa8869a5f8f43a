"""Mel-frequency cepstral coefficients with their velocities, the extractor ``mfcc26``.

Davis and Mermelstein (1980): the cosine transform of log-mel energies; Furui (1986): the slope of
each coefficient over neighbouring rows.
"""

from __future__ import annotations

import numpy as np

from nerf_talker.audio.extractor import Extractor, Follow
from nerf_talker.audio.logmel import BLOCK, WINDOW_SECONDS, log_energies
from nerf_talker.audio.sound import RATE
from nerf_talker.types import FloatArray

COEFFICIENTS = 13
FILTERS = 26
LIFTER = 22
SLOPE_REACH = 2  # rows on either side that a velocity is fitted to


class Mfcc(Extractor):
    """13 cepstral coefficients, the first being loudness, and their 13 velocities."""

    name = "mfcc26"
    dims = 2 * COEFFICIENTS
    look_ahead = WINDOW_SECONDS / 2 + SLOPE_REACH / Extractor.rate

    def _rows(self, samples: FloatArray, rows: int, follow: Follow) -> FloatArray:
        from python_speech_features import delta

        # The rows before and after the sound are silence, computed like any other: repeating the
        # outermost row in their place would make the velocities depend on where the sound begins.
        first, last = -SLOPE_REACH, rows + SLOPE_REACH
        starts = range(first, last, BLOCK)
        cepstra = np.concatenate(
            [_cepstra(samples, start, min(start + BLOCK, last)) for start in starts]
        )
        slopes = delta(cepstra, SLOPE_REACH)
        inside = slice(SLOPE_REACH, SLOPE_REACH + rows)
        return np.concatenate([cepstra[inside], slopes[inside]], 1)


def _cepstra(samples: FloatArray, first: int, last: int) -> FloatArray:
    from python_speech_features import lifter
    from scipy.fft import dct

    energies = log_energies(samples, RATE, first, last, FILTERS)
    return np.asarray(lifter(dct(energies, norm="ortho")[:, :COEFFICIENTS], LIFTER))
