"""Figures of a recording's sound against planted noise, level and clipping."""

import numpy as np
import pytest

from nerf_talker.audio.quality import sound_quality

RATE = 16000


def words(noise_db, seconds=20, level=0.1):
    """Half a second of sound, half a second of pause, over noise."""
    rng = np.random.default_rng(0)
    count = seconds * RATE
    speaks = (np.arange(count) // (RATE // 2)) % 2
    return (level * rng.normal(size=count) * speaks
            + 10 ** (noise_db / 20) * rng.normal(size=count)).astype(np.float32)  # fmt: skip


@pytest.mark.parametrize("noise", [-80, -60, -40])
def test_speech_over_noise_is_found(noise):
    found = sound_quality(words(noise))
    assert found.noise == pytest.approx(noise, abs=1.5)
    assert found.snr == pytest.approx(-20 - noise, abs=2)
    assert found.seconds == 20


def test_level_is_the_root_mean_square():
    assert sound_quality(np.full(RATE, 0.1, np.float32)).level == pytest.approx(-20, abs=1e-3)
    assert sound_quality(np.zeros(RATE, np.float32)).level == -100


@pytest.mark.parametrize("turned_down", [1.0, 0.5])
def test_clipped_samples_are_counted_wherever_the_limit_is(turned_down):
    wave = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    share = 1 - 2 * np.arcsin(0.8) / np.pi  # of a sine above 0.8
    cut = np.clip(wave / 0.8, -1, 1) * turned_down
    assert sound_quality(cut.astype(np.float32)).clipped == pytest.approx(share, rel=0.1)


def test_loud_peaks_and_silence_are_no_clipping():
    peaks = words(-60)
    peaks[::4000] = 1.0
    assert sound_quality(peaks).clipped == 0
    assert sound_quality(np.zeros(RATE, np.float32)).clipped == 0
    assert sound_quality(np.full(5, 0.1, np.float32)).clipped == 0
