"""The offset between lips and sound: found where it is planted, not claimed where it is not."""

import numpy as np
import pytest

from nerf_talker.data.sample_motion import FPS, perform
from nerf_talker.data.sample_speech import RATE
from nerf_talker.data.synthetic import sample_sound
from nerf_talker.preprocess.avsync import LIPS_AHEAD, estimate_drift, estimate_offset


@pytest.fixture(scope="module")
def speech():
    """Mouth opening of the sample at 25 fps and its sound; frames show the middle of their time."""
    performance = perform(12.0, 3)
    gap = np.array([face.gap for face in performance.faces])
    return gap, sample_sound(performance, 3)


def moved(sound, seconds):
    shift = round(seconds * RATE)
    return np.pad(sound, (shift, 0)) if shift >= 0 else sound[-shift:]


@pytest.mark.parametrize("frames", range(-5, 6))
def test_planted_shifts_are_found_to_the_frame(speech, frames):
    gap, sound = speech
    found = estimate_offset(gap, FPS, moved(sound, frames / FPS), RATE)
    assert found.is_sure
    assert abs(found.seconds * FPS - frames) < 0.25


def test_parts_of_a_frame_are_told(speech):
    gap, sound = speech
    found = estimate_offset(gap, FPS, moved(sound, 0.110), RATE)
    assert found.seconds == pytest.approx(0.110, abs=0.008)
    assert 0 < LIPS_AHEAD < 0.04


def test_half_the_frames_do(speech):
    gap, sound = speech
    found = estimate_offset(np.repeat(gap, 2), 2 * FPS, moved(sound, 0.12), RATE)
    assert found.seconds == pytest.approx(0.12, abs=0.03)


def test_other_speech_silence_and_noise_are_not_sure(speech):
    gap, sound = speech
    rng = np.random.default_rng(0)
    other = sample_sound(perform(12.0, 8), 8)
    for unrelated in (other, np.zeros_like(sound), rng.normal(0, 0.1, len(sound)), sound[:1600]):
        found = estimate_offset(gap, FPS, unrelated, RATE)
        assert not found.is_sure
        assert np.isfinite([found.seconds, found.confidence, found.ratio]).all()


def test_a_still_mouth_and_short_clips_are_not_sure(speech):
    gap, sound = speech
    assert not estimate_offset(np.zeros_like(gap), FPS, sound, RATE).is_sure
    assert estimate_offset(gap[:50], FPS, sound, RATE).confidence == 0


def test_drift_is_told(speech):
    gap, sound = (np.concatenate([part, part]) for part in speech)
    assert abs(estimate_drift(gap, FPS, sound, RATE)) < 0.02
    slow = np.interp(np.arange(0, len(sound), 0.99), np.arange(len(sound)), sound)
    drift = estimate_drift(gap, FPS, slow[: len(sound)], RATE)
    assert drift == pytest.approx(0.01 * len(sound) / RATE / 2, abs=0.04)
    assert estimate_drift(gap, FPS, np.zeros(len(sound)), RATE) == 0
