"""Laws of the default audio features."""

import tracemalloc
import warnings

import numpy as np
import pytest

from nerf_talker.audio.logmel import EXTRACTOR, log_mel

RATE = 16000


def speech_like(seconds, seed=0):
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    knots = np.arange(0, count + 800, 800)
    loud = np.interp(np.arange(count), knots, rng.uniform(0, 1, len(knots)))
    return 0.3 * loud * rng.normal(size=count)


@pytest.mark.parametrize("frames", [1, 3, 10])
def test_a_delay_by_video_frames_is_a_delay_by_twice_as_many_rows(frames):
    sound = speech_like(2.0)
    shift = frames * RATE // 25
    late = np.concatenate([np.zeros(shift), sound])
    first, second = log_mel(sound, RATE).values, log_mel(late, RATE).values
    # The first rows look at what was before the sound, which the delay does not change.
    np.testing.assert_allclose(second[2 * frames :][: len(first)], first, atol=1e-5)


def test_rows_are_centred_on_their_time():
    sound = np.zeros(2 * RATE)
    sound[RATE - 4 : RATE + 4] = 0.5
    loudness = log_mel(sound, RATE).values.mean(1)
    assert np.argmax(loudness) == 50
    assert loudness[49] == pytest.approx(loudness[51], abs=0.05)


@pytest.mark.parametrize("samples", [0, 1, 10, 200, 511, 640, 16000])
def test_any_length_gives_finite_rows_without_warnings(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = log_mel(np.zeros(samples, np.float32), RATE)
    assert features.values.shape == (max(-(-samples // 320), 1), 40)
    assert np.isfinite(features.values).all()
    assert (features.extractor, features.rate, features.offset) == (EXTRACTOR, 50.0, 0.0)


def test_louder_sound_adds_a_constant():
    sound = 0.1 * np.random.default_rng(5).normal(size=RATE)
    quiet, loud = log_mel(sound, RATE).values, log_mel(2 * sound, RATE).values
    np.testing.assert_allclose(loud - quiet, np.log(4), atol=1e-3)


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_the_block_size_does_not_change_the_result(rate):
    sound = speech_like(3.0)
    whole = log_mel(sound, rate, block=10**6).values
    for block in (1, 7, 64):
        np.testing.assert_array_equal(log_mel(sound, rate, block=block).values, whole)


def test_memory_does_not_grow_with_the_sound():
    sound = speech_like(30.0).astype(np.float32)
    peaks = []
    for times in (1, 4):
        longer = np.tile(sound, times)
        tracemalloc.start()
        rows = log_mel(longer, RATE).values
        peaks.append(tracemalloc.get_traced_memory()[1] - rows.nbytes)
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
