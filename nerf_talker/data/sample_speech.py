"""Nonsense speech for the sample clip: phones in time, the mouth they ask for, and their sound.

The sound is a formant synthesiser after D. Klatt, *Software for a cascade/parallel formant
synthesizer* (1980): a glottal pulse train through four resonators in cascade, noise through one.
Mouth and sound follow the same phones, so one can be learnt from the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

RATE = 24000
_CONTROL = 1000
_PITCH = 178.0


@dataclass(frozen=True)
class Phone:
    """One speech sound.

    Attributes:
        gap: Lip opening wanted, below 0 for lips pressed together; 1 is wide open.
        jaw: Jaw opening wanted.
        width: Corners of the mouth, None to keep the neighbours'.
        protrusion: Lips pushed forward.
        voice: Amplitude of the voice.
        noise: Amplitude of the noise.
        hiss: Centre of the noise in Hz.
        formants: First three resonances in Hz.
        seconds: Usual length.
        stop: Whether it is a closure that ends in a burst.
    """

    gap: float
    jaw: float
    width: float | None
    protrusion: float
    voice: float
    noise: float
    hiss: float
    formants: tuple[float, float, float]
    seconds: float
    stop: bool = False


PHONES = {
    "a": Phone(1.00, 1.00, 0.05, 0.0, 1.00, 0.0, 3000, (780, 1250, 2600), 0.19),
    "e": Phone(0.58, 0.52, 0.60, 0.0, 0.82, 0.0, 3000, (540, 1850, 2550), 0.16),
    "i": Phone(0.34, 0.26, 1.00, 0.0, 0.62, 0.0, 3000, (290, 2300, 3000), 0.15),
    "o": Phone(0.64, 0.66, -0.70, 0.7, 0.85, 0.0, 3000, (480, 860, 2450), 0.18),
    "u": Phone(0.30, 0.30, -1.00, 1.0, 0.60, 0.0, 3000, (310, 720, 2300), 0.16),
    "m": Phone(-0.40, 0.10, None, 0.0, 0.30, 0.0, 3000, (260, 1050, 2200), 0.10),
    "b": Phone(-0.42, 0.10, None, 0.0, 0.10, 0.5, 900, (250, 900, 2200), 0.10, True),
    "p": Phone(-0.42, 0.10, None, 0.0, 0.00, 0.7, 1100, (350, 900, 2200), 0.11, True),
    "f": Phone(0.03, 0.12, None, 0.1, 0.00, 0.22, 7000, (400, 1100, 2300), 0.10),
    "v": Phone(0.03, 0.12, None, 0.1, 0.22, 0.10, 6500, (300, 1100, 2300), 0.08),
    "d": Phone(0.22, 0.18, None, 0.0, 0.10, 0.5, 3800, (300, 1750, 2650), 0.08, True),
    "t": Phone(0.22, 0.16, None, 0.0, 0.00, 0.7, 4500, (350, 1800, 2650), 0.09, True),
    "k": Phone(0.28, 0.26, None, 0.0, 0.00, 0.7, 2000, (350, 2000, 2400), 0.09, True),
    "n": Phone(0.22, 0.18, None, 0.0, 0.32, 0.0, 3000, (280, 1600, 2600), 0.08),
    "l": Phone(0.32, 0.30, None, 0.0, 0.45, 0.0, 3000, (360, 1300, 2800), 0.08),
    "s": Phone(0.17, 0.08, 0.40, 0.0, 0.00, 0.30, 5800, (350, 1750, 2650), 0.11),
    "S": Phone(0.24, 0.10, -0.60, 0.8, 0.00, 0.34, 3000, (350, 1750, 2500), 0.11),
    "_": Phone(-0.15, 0.00, 0.00, 0.0, 0.00, 0.0, 3000, (500, 1500, 2500), 0.35),
}
VOWELS = "aeiou"
LABIALS = "mbp"
_CONSONANTS = "mmbbppfvdtknlsSdnl"


@dataclass(frozen=True)
class Speech:
    """An utterance.

    Attributes:
        names: Phone names in order, ``_`` is a pause.
        starts: (P + 1,) seconds where each begins, then the end of the last.
        stress: (P,) loudness and opening, about 1.
        pitch: (P,) Hz.
        seconds: Length.
    """

    names: list[str]
    starts: Values
    stress: Values
    pitch: Values
    seconds: float

    def phone_at(self, times: npt.ArrayLike) -> list[str]:
        """Names at ``times`` in seconds."""
        at = np.searchsorted(self.starts, np.asarray(times, float), side="right") - 1
        return [self.names[k] for k in np.clip(at, 0, len(self.names) - 1)]

    def _hold(self, values: Values, times: Values) -> Values:
        at = np.searchsorted(self.starts, times, side="right") - 1
        return values[np.clip(at, 0, len(values) - 1)]

    def _track(self, values: Values, sigma: float) -> Values:
        """Values per phone, held and smoothed over ``sigma`` seconds, on the control clock."""
        from scipy.ndimage import gaussian_filter1d

        times = (np.arange(round(self.seconds * _CONTROL)) + 0.5) / _CONTROL
        return np.asarray(gaussian_filter1d(self._hold(values, times), sigma * _CONTROL))


def compose(seconds: float, rng: np.random.Generator) -> Speech:
    """Random phrases of words of one to four syllables with pauses between, filling ``seconds``."""
    names, lengths, stress, pitch = ["_"], [0.24], [1.0], [_PITCH]
    clock = lengths[0]
    while clock < seconds - 0.35:
        words = int(rng.integers(2, 5))
        for word in range(words):
            fall = 1.14 - 0.22 * word / words
            for syllable in range(int(rng.integers(1, 5))):
                accent = rng.uniform(0.92, 1.1) if syllable == 0 else rng.uniform(0.72, 1.0)
                for name in (rng.choice(list(_CONSONANTS)), rng.choice(list(VOWELS))):
                    names.append(str(name))
                    lengths.append(PHONES[str(name)].seconds * rng.uniform(0.88, 1.25))
                    stress.append(accent)
                    pitch.append(_PITCH * fall * (0.72 + 0.32 * accent) * rng.uniform(0.96, 1.04))
            clock = float(np.sum(lengths))
            if clock >= seconds - 0.35:
                break
        names.append("_")
        lengths.append(rng.uniform(0.28, 0.6))
        stress.append(1.0)
        pitch.append(_PITCH * 0.9)
        clock = float(np.sum(lengths))
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    kept = [k for k in range(len(names)) if starts[k] < seconds - 0.3]
    names = [names[k] for k in kept]
    names[-1] = "_"
    ends = np.append(starts[kept], seconds)
    return Speech(names, ends, np.array(stress)[kept], np.array(pitch)[kept], seconds)


def mouth_tracks(speech: Speech, times: Values) -> dict[str, Values]:
    """The mouth at ``times``: gap, jaw, width and protrusion, smooth functions of the phones."""
    phones = [PHONES[name] for name in speech.names]
    gap = np.array([p.gap for p in phones])
    opening = np.where(gap > 0, gap * speech.stress, gap)
    jaw = np.array([p.jaw for p in phones]) * speech.stress
    width = _filled([p.width for p in phones])
    push = np.array([p.protrusion for p in phones])
    clock = (np.arange(round(speech.seconds * _CONTROL)) + 0.5) / _CONTROL

    def sampled(values: Values, sigma: float) -> Values:
        return np.interp(times, clock, speech._track(values, sigma))

    return {
        "gap": np.maximum(sampled(opening, 0.020), 0.0),
        "jaw": np.clip(sampled(jaw, 0.030), 0.0, 1.1),
        "width": np.clip(sampled(width, 0.045), -1, 1),
        "protrusion": np.clip(sampled(push, 0.045), 0, 1),
        "loudness": sampled(np.array([p.voice for p in phones]) * speech.stress, 0.06),
    }


def _filled(values: list[float | None]) -> Values:
    """Unknown values taken from the vowel that follows."""
    filled, following = np.zeros(len(values)), 0.0
    for k in range(len(values) - 1, -1, -1):
        value = values[k]
        following = following if value is None else value
        filled[k] = following
    return filled


def synthesise(speech: Speech, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(N,) mono sound in [-1, 1] at :data:`RATE`, N = round(seconds * RATE)."""
    from scipy.signal import lfilter

    count = round(speech.seconds * RATE)
    phones = [PHONES[name] for name in speech.names]
    clock = (np.arange(round(speech.seconds * _CONTROL)) + 0.5) / _CONTROL
    times = (np.arange(count) + 0.5) / RATE

    def control(values: list[float] | Values, sigma: float) -> Values:
        return speech._track(np.asarray(values, float), sigma)

    stress = speech.stress
    voice = np.interp(times, clock, control([p.voice for p in phones] * stress, 0.010))
    steady = [0.0 if p.stop else p.noise for p in phones]
    noise = np.interp(times, clock, control(steady * stress, 0.010)) + _bursts(speech, times)
    wander = lfilter([1], [1, -0.998], rng.standard_normal(len(clock)))
    pitch = control(speech.pitch, 0.05) * (1 + 0.012 * wander / wander.std())
    phase = np.cumsum(np.interp(times, clock, pitch)) / RATE
    breath = 0.012 * rng.standard_normal(count)
    sound = _glottal(phase % 1.0) * voice + breath * voice
    tracks = [control([p.formants[k] for p in phones], 0.018) for k in range(3)]
    for track, width in zip(
        [*tracks, np.full_like(clock, 3600.0)], (70, 90, 130, 220), strict=True
    ):
        sound = _resonate(sound, track, width)
    hiss = _resonate(rng.standard_normal(count), control([p.hiss for p in phones], 0.008), 1400)
    sound = sound / _level(sound) + 1.5 * noise * hiss / _level(hiss)
    return (0.7 * sound / max(float(np.abs(sound).max()), 1e-6)).astype(np.float32)


def _level(sound: Values) -> float:
    return float(np.sqrt(np.mean(sound**2)) + 1e-9)


def _bursts(speech: Speech, times: Values) -> Values:
    """The release of every stop: 12 ms of noise at its end."""
    total = np.zeros(len(times))
    for k, name in enumerate(speech.names):
        if PHONES[name].stop:
            since = times - speech.starts[k + 1] + 0.012
            total += PHONES[name].noise * (since > 0) * np.exp(-np.maximum(since, 0) / 0.009)
    return total


def _glottal(phase: Values) -> Values:
    """Flow derivative of Rosenberg's pulse: opening 0.4, closing 0.2 of the period."""
    opening = np.where(phase < 0.4, 0.5 * np.sin(np.pi * phase / 0.4) / 0.4, 0.0)
    closing = (phase >= 0.4) & (phase < 0.6)
    return (
        opening - np.where(closing, np.sin(np.pi / 2 * (phase - 0.4) / 0.2) / 0.2, 0.0) + 1 / np.pi
    )


def _resonate(sound: Values, centre: Values, width: float) -> Values:
    """A two-pole resonator whose ``centre`` (1 kHz clock, Hz) moves in steps of 4 ms."""
    from scipy.signal import lfilter

    block = RATE * 4 // _CONTROL
    result, state = np.empty_like(sound), np.zeros(2)
    for first in range(0, len(sound), block):
        hz = centre[min(first * _CONTROL // RATE, len(centre) - 1)]
        radius = np.exp(-np.pi * width / RATE)
        poles = [1.0, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2]
        part = slice(first, first + block)
        result[part], state = lfilter([sum(poles)], poles, sound[part], zi=state)
    return result
