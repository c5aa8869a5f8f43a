"""Log-mel features on a 50 Hz clock, the default audio front-end ``logmel40``.

Row k is centred on k / 50 seconds: the sound is padded by half a window on the left, so a delay of
the sound by one video frame (1/25 s) is a delay of the features by exactly two rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.types import AudioFeatures, FloatArray

EXTRACTOR = "logmel40"
RATE = 50.0
FILTERS = 40
WINDOW_SECONDS = 0.032
LOWEST, HIGHEST = 50.0, 7600.0
# Energy below this, on the scale of samples in [-1, 1], counts as silence: about the energy of
# the rounding of 16-bit sound. Without a floor the logarithm of digital silence dominates.
SILENCE = 1e-8


def log_mel(samples: npt.ArrayLike, rate: int) -> AudioFeatures:
    """Log-mel energies of a sound.

    Args:
        samples: (samples,) float in [-1, 1], mono.
        rate: Samples per second; at least twice :data:`HIGHEST`.

    Returns:
        (A, 40) features at 50 Hz with offset 0 and ``A = ceil(seconds * 50)``, at least 1;
        always finite.
    """
    from python_speech_features.base import fbank

    samples = np.asarray(samples, np.float64)
    window = round(WINDOW_SECONDS * rate)
    hop = round(rate / RATE)
    rows = max(-(-len(samples) // hop), 1)
    padded = np.zeros((rows - 1) * hop + window)
    kept = samples[: len(padded) - window // 2]
    padded[window // 2 : window // 2 + len(kept)] = kept
    energies, _ = fbank(
        padded,
        rate,
        winlen=WINDOW_SECONDS,
        winstep=1 / RATE,
        nfilt=FILTERS,
        nfft=512 if window <= 512 else int(2 ** np.ceil(np.log2(window))),
        lowfreq=LOWEST,
        highfreq=min(HIGHEST, rate / 2),
        winfunc=np.hanning,
    )
    values: FloatArray = np.log(np.maximum(energies[:rows], SILENCE)).astype(np.float32)
    return AudioFeatures(values, RATE, EXTRACTOR, 0.0)
