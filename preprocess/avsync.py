"""How far a recording's sound is out of step with its lips.

The speed of the lip gap is correlated with the speed of the speech's loudness at every lag
(both by a short quadratic fit, both clipped, so that single events do not decide). In step, the
lips run about 20 ms ahead of the sound they shape; the peak's place beyond that is the offset. Far
lags, where nothing can match, show how high chance alone reaches: the peak in units of their
spread is the confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.logmel import RATE, log_mel

Values = npt.NDArray[np.float64]

# Measured on clips in step: 20 ms on the sample clip, 29 ms on a studio recording.
LIPS_AHEAD = 0.020
# Offsets up to this many seconds are looked for.
REACH = 0.8
# Lags from the first to the second number of seconds serve as the measure of chance.
_FAR = (1.0, 3.0)
_WINDOW = 9
# Log-mel bands of about 200 to 4000 Hz, where speech is.
_BANDS = slice(3, 28)
# Loudness this far below the loud parts counts as silence (power ratio).
_FLOOR = 1e-3
_SURE = 5.0
_SURE_RATIO = 1.5


@dataclass(frozen=True)
class Offset:
    """The estimate.

    Attributes:
        seconds: How much too late the sound comes.
        correlation: At the peak, in [-1, 1].
        confidence: The peak in standard deviations of the far lags.
        ratio: The peak over the highest of the far lags.
    """

    seconds: float
    correlation: float
    confidence: float
    ratio: float

    @property
    def is_sure(self) -> bool:
        """Whether the estimate may be acted upon."""
        return self.confidence >= _SURE and self.ratio >= _SURE_RATIO


def estimate_offset(gap: npt.ArrayLike, fps: float, samples: npt.ArrayLike, rate: int) -> Offset:
    """Compare the mouth with the sound.

    Args:
        gap: (F,) lip gap of each frame, finite.
        fps: Frames per second.
        samples: (N,) the sound that is played with the frames.
        rate: Its samples per second, at least 16000.
    """
    gap = np.asarray(gap, np.float64)
    count = int(len(gap) * RATE / fps)
    mouth = np.interp(np.arange(count) / RATE, np.arange(len(gap)) / fps, gap)
    loudness = _loudness(samples, rate, count)
    reach, (low, high) = round(REACH * RATE), (round(edge * RATE) for edge in _FAR)
    high = min(high, count // 3)
    if count < 6 * reach or np.ptp(loudness) < 1e-6 or np.ptp(mouth) < 1e-6:
        return Offset(0.0, 0.0, 0.0, 0.0)
    curve = _correlations(_speed(mouth), _speed(loudness), max(high, reach))
    middle = len(curve) // 2
    lags = np.arange(-middle, middle + 1)
    near = np.where(np.abs(lags) <= reach, curve, -np.inf)
    peak = int(np.argmax(near))
    far = curve[np.abs(lags) > low]
    if not len(far):
        return Offset(0.0, float(curve[peak]), 0.0, 0.0)
    seconds = float(lags[peak] + _between(near, peak)) / RATE - LIPS_AHEAD
    spread, highest = max(float(far.std()), 1e-9), max(float(np.abs(far).max()), 1e-9)
    top = float(curve[peak])
    return Offset(seconds, top, top / spread, top / highest)


def estimate_drift(gap: npt.ArrayLike, fps: float, samples: npt.ArrayLike, rate: int) -> float:
    """Seconds by which the sound falls behind the lips from one half of the clip to the other.

    Zero where either half gives no sure answer; arguments as in :func:`estimate_offset`.
    """
    gap, samples = np.asarray(gap), np.asarray(samples)
    frames = len(gap) // 2
    sound = round(frames * rate / fps)
    first = estimate_offset(gap[:frames], fps, samples[:sound], rate)
    second = estimate_offset(gap[frames:], fps, samples[sound:], rate)
    return second.seconds - first.seconds if first.is_sure and second.is_sure else 0.0


def _loudness(samples: npt.ArrayLike, rate: int, count: int) -> Values:
    """(count,) logarithm of the power in the bands of speech, at :data:`RATE`."""
    features = log_mel(samples, rate).values[:count].astype(np.float64)
    power = np.exp(features[:, _BANDS]).sum(1)
    power = np.pad(power, (0, count - len(power)), mode="edge")
    return np.asarray(np.log(power + _FLOOR * np.percentile(power, 95) + 1e-12))


def _speed(values: Values) -> Values:
    from scipy.signal import savgol_filter

    speed = savgol_filter(values, _WINDOW, 2, deriv=1)
    most = 3 * speed.std()
    return np.asarray(np.clip(speed, -most, most))


def _correlations(mouth: Values, sound: Values, reach: int) -> Values:
    """Pearson's correlation of mouth(t) with sound(t + lag) for lags from -reach to reach."""
    found = np.zeros(2 * reach + 1)
    for lag in range(-reach, reach + 1):
        first = mouth[max(-lag, 0) : len(mouth) - max(lag, 0)]
        second = sound[max(lag, 0) : len(sound) - max(-lag, 0)]
        if first.std() > 0 and second.std() > 0:
            found[lag + reach] = np.corrcoef(first, second)[0, 1]
    return found


def _between(curve: Values, peak: int) -> float:
    """Place of a parabola's top through a peak and its neighbours, in steps from the peak."""
    if not 0 < peak < len(curve) - 1:
        return 0.0
    before, top, after = curve[peak - 1 : peak + 2]
    bend = before - 2 * top + after
    return float(0.5 * (before - after) / bend) if np.isfinite(bend) and bend < 0 else 0.0
