"""Making one recording sound like many: rooms, microphones, codecs, noise, tempo, loudness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.pretrain.speech import RATE

Sound = npt.NDArray[np.float32]

# Where the bands of telephones and cheap microphones end, Hz.
UPPER_LIMITS = (3400, 4000, 5500, 7000, 8000)
ROOM_SECONDS = 0.35
NOISES, NOISE_SECONDS = 60, 10


def at_tempo(samples: Sound, factor: float) -> Sound:
    """Faster and higher by ``factor`` (a resampled recording): length / factor."""
    count = max(int(len(samples) / factor), 1)
    places = np.arange(count) * factor
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


class Recorder:
    """Changes how a recording sounds; keeps a stock of noises, which are dear to make."""

    def __init__(self, chance: np.random.Generator) -> None:
        self.noises = [_noise(chance) for _ in range(NOISES)]

    def record(self, samples: Sound, chance: np.random.Generator) -> Sound:
        """The same speech recorded otherwise: same length, same timing.

        Each change happens in a part of the cases; a fifth stays as it is but for loudness.
        """
        changed = samples
        if chance.random() > 0.2:
            changed = _through_room_and_microphone(changed, chance)
            if chance.random() < 0.15:
                changed = _mu_law(changed)
            if chance.random() < 0.7:
                changed = changed + self._noise_for(changed, chance)
        loudest = float(np.abs(changed).max())
        wanted = 10 ** (chance.uniform(-26, -1) / 20)
        return (changed * (wanted / max(loudest, 1e-4))).astype(np.float32)

    def _noise_for(self, samples: Sound, chance: np.random.Generator) -> Sound:
        """A piece of a noise, 3 to 40 dB below the speech, sometimes swelling."""
        stock = self.noises[chance.integers(len(self.noises))]
        noise = np.roll(stock, chance.integers(len(stock)))[: len(samples)]
        if chance.random() < 0.3:
            knots = np.linspace(0, len(noise), 8)
            swell = np.interp(np.arange(len(noise)), knots, chance.uniform(0.1, 1, 8))
            noise = (noise * swell).astype(np.float32)
        power = float(np.square(samples, dtype=np.float64).mean())
        ratio = 10 ** (-chance.uniform(3, 40) / 10)
        scale = np.sqrt(power * ratio / max(float(np.square(noise).mean()), 1e-12))
        return (noise * scale).astype(np.float32)


def _through_room_and_microphone(samples: Sound, chance: np.random.Generator) -> Sound:
    """Equaliser, band limits and reverberation, as one filter in the frequency domain."""
    from scipy.fft import irfft, next_fast_len, rfft

    room = int(ROOM_SECONDS * RATE)
    size = next_fast_len(len(samples) + room, real=True)
    hertz = np.linspace(0, RATE / 2, size // 2 + 1, dtype=np.float32)
    octaves = np.log2(np.maximum(hertz, 50) / 50)
    knots = np.linspace(0, octaves[-1], 7)
    response = 10 ** (np.interp(octaves, knots, chance.normal(0, 4, 7)) / 20)
    upper, lower = chance.choice(UPPER_LIMITS), chance.uniform(20, 250)
    response /= np.sqrt(1 + (hertz / upper) ** 16)
    response /= np.sqrt(1 + (lower / np.maximum(hertz, 1)) ** 4)
    spectrum = rfft(samples, size) * response.astype(np.float32)
    if chance.random() < 0.5:
        # White noise under an exponential is a room's late echo (Moorer 1979).
        decay = np.log(1000) / chance.uniform(0.1, 0.5)
        echo = chance.standard_normal(room, np.float32)
        echo *= np.exp(-decay * np.arange(room, dtype=np.float32) / RATE)
        echo *= chance.uniform(0.05, 0.6) / np.sqrt((echo**2).sum())
        echo[0] = 1.0
        spectrum *= rfft(echo, size)
    return np.asarray(irfft(spectrum, size)[: len(samples)], np.float32)


def _mu_law(samples: Sound) -> Sound:
    """Eight bits of a telephone line (ITU-T G.711, mu = 255)."""
    peak = max(float(np.abs(samples).max()), 1e-6)
    plain = samples / peak
    pressed = np.sign(plain) * np.log1p(255 * np.abs(plain)) / np.log(256)
    kept = np.round(pressed * 127) / 127
    return (np.sign(kept) * np.expm1(np.abs(kept) * np.log(256)) / 255 * peak).astype(np.float32)


def _noise(chance: np.random.Generator) -> Sound:
    """Ten seconds of noise between white and brown."""
    from scipy.fft import irfft, rfft

    size = NOISE_SECONDS * RATE
    spectrum = rfft(chance.standard_normal(size, np.float32))
    hertz = np.maximum(np.linspace(0, RATE / 2, size // 2 + 1, dtype=np.float32), 30)
    return np.asarray(irfft(spectrum * (hertz / 1000) ** -chance.uniform(0, 1), size), np.float32)
