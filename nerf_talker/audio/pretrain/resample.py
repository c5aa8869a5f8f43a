"""Sound at the corpus's rate."""

from __future__ import annotations

from math import gcd

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.pretrain.speech import RATE, Samples


def to_rate(samples: npt.ArrayLike, rate: int) -> Samples:
    """16-bit samples at ``rate`` -> 16-bit samples at 16 kHz."""
    from scipy.signal import resample_poly

    given = np.asarray(samples, np.float64)
    if rate != RATE:
        common = gcd(RATE, rate)
        given = resample_poly(given, RATE // common, rate // common)
    return np.clip(np.round(given), -32768, 32767).astype(np.int16)
