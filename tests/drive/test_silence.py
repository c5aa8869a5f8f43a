"""Silence closes the mouth, whatever the recording's loudness; speech leaves it alone."""

import dataclasses

import numpy as np
import pytest
import torch

from nerf_talker.audio.quality import block_levels, gain_to_level, speech_level
from nerf_talker.data.sample_motion import perform
from nerf_talker.data.synthetic import sample_sound
from nerf_talker.drive.silence import openness_of_levels
from nerf_talker.drive.source import SpeechSource
from nerf_talker.train.audio_phase import fit_audio
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.config import AudioPhaseConfig
from nerf_talker.types import AudioFeatures

RATE = 16000
FPS = 25


def humming(seconds, level=0.1):
    time = np.arange(round(seconds * RATE)) / RATE
    swell = 1 + 0.5 * np.sin(2 * np.pi * 4 * time)
    return (level * swell * np.sin(2 * np.pi * 150 * time)).astype(np.float32)


def with_pauses(length):
    """10 s that hum, with pauses of ``length`` s at 2, 4, 6 s; and which frames are inside one."""
    sound, frames = humming(10), np.arange(250) / FPS
    inside = np.zeros(250, bool)
    for start in (2, 4, 6):
        sound[start * RATE : round((start + length) * RATE)] = 0
        inside |= (frames >= start) & (frames < start + length - 0.06)
    return sound, inside


def mouth_openness(sound, *given):
    return openness_of_levels(block_levels(sound), *given)


def at_level(sound, level):
    return sound * np.float32(gain_to_level(block_levels(sound), level))


def noise(samples, decibels, seed=0):
    rows = np.random.default_rng(seed).normal(size=samples)
    return (10 ** (decibels / 20) * rows).astype(np.float32)


@pytest.mark.parametrize("decibels", [-12, 0, 12])
@pytest.mark.parametrize("floor", [None, -50])
def test_a_pause_is_closed_and_speech_is_not(decibels, floor):
    sound, inside = with_pauses(0.4)
    sound = sound * 10 ** (decibels / 20)
    if floor is not None:
        sound = sound + noise(len(sound), floor)
    open_ = mouth_openness(sound, FPS, 250)
    assert (open_[inside] == 0).all()
    assert (open_[:47] == 1).all() and (open_[62:96] == 1).all() and (open_[162:] == 1).all()
    assert np.abs(np.diff(open_)).max() < 0.7, "a ramp, not a step"


def test_a_gap_within_speech_is_left_to_the_encoder():
    assert (mouth_openness(with_pauses(0.16)[0], FPS, 250) == 1).all()


@pytest.mark.parametrize(
    "sound", [np.zeros(3 * RATE, np.float32), noise(3 * RATE, -50)], ids=["silence", "noise"]
)
def test_without_speech_the_mouth_stays_shut(sound):
    assert (mouth_openness(sound, FPS, 75) == 0).all()


def test_a_click_is_no_speech():
    sound = humming(6)
    sound[2 * RATE : 4 * RATE] = 0
    sound[3 * RATE : 3 * RATE + 200] = 0.3
    assert (mouth_openness(sound, FPS, 150)[55:95] == 0).all()


def test_voice_activity_overrules_loudness():
    sound = humming(4)
    active = np.ones((200, 2), np.float32)
    active[100:150, 1] = 0
    open_ = mouth_openness(sound, FPS, 100, AudioFeatures(active, 50.0, "toy"), 1)
    assert (open_[54:71] == 0).all() and (open_[:48] == 1).all() and (open_[80:] == 1).all()


def test_a_short_word_opens_the_mouth():
    sound = humming(6)
    sound[RATE : round(2.5 * RATE)] = 0
    sound[round(2.6 * RATE) : 4 * RATE] = 0
    open_ = mouth_openness(sound, 100, 600)
    assert open_[255:260].max() == 1
    assert (open_[100:245] == 0).all() and (open_[267:395] == 0).all()


@pytest.mark.parametrize("samples", [0, 1, 100, 1600])
def test_the_shortest_sounds_have_their_frames(samples):
    found = mouth_openness(np.full(samples, 0.1, np.float32), FPS, 3)
    assert found.shape == (3,) and np.isfinite(found).all()


def test_sound_is_brought_to_the_level_that_was_learned():
    sound = sample_sound(perform(4.0, 0), 0).astype(np.float32)[: 2 * RATE] * 0.2
    for factor in (0.3, 1, 2.5):
        assert speech_level(at_level(sound * factor, -20.0)) == pytest.approx(-20, abs=0.1)
    assert gain_to_level(block_levels(sound), np.inf) == 1
    broken = np.where(np.arange(len(sound)) == 9000, np.nan, sound)
    assert gain_to_level(block_levels(broken), -20.0) == 1, "the extractor says where it is broken"
    silent = noise(RATE, -60)
    assert gain_to_level(block_levels(silent), -20.0) == 1, (
        "noise is not brought up to speech's level"
    )


@pytest.fixture(scope="module")
def heard(ellipse_run, ellipse):
    """An avatar whose mouth follows loudness, and features of 200 loud rows among silence."""
    avatar = load_avatar(ellipse_run)
    fit_audio(avatar.talker, ellipse, AudioPhaseConfig())
    opening = np.abs(np.sin(np.arange(400) * 0.2))[:, None] * np.linspace(0.5, 1.5, 40)
    return avatar, AudioFeatures(opening.astype(np.float32), 50.0, "logmel40")


def test_a_source_yields_landmarks_and_shuts_them(heard):
    avatar, features = heard
    openness = np.ones(200, np.float32)
    openness[100:150] = 0
    source = SpeechSource(avatar.talker, avatar.poses, features, openness)
    whole = source.chunk(0, len(source))
    talker = avatar.talker
    shut = talker.mouth.landmarks(talker.audio.closed[None])
    torch.testing.assert_close(whole.landmarks[100:150], shut.expand(50, -1, -1))
    bare = dataclasses.replace(whole, landmarks=None)
    with torch.no_grad():
        expected = talker.mouth_code(bare)[:100]
    torch.testing.assert_close(talker.mouth_code(whole)[:100], expected, atol=2e-3, rtol=0)


def test_chunks_join_as_if_made_at_once(heard):
    avatar, features = heard
    source = SpeechSource(avatar.talker, avatar.poses, features, np.ones(180, np.float32))
    whole = source.chunk(0, 180).landmarks
    parts = torch.cat([source.chunk(k, min(k + 37, 180)).landmarks for k in range(0, 180, 37)])
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)


def test_no_sound_leaves_the_identitys_own_range(heard):
    avatar, features = heard
    wild = dataclasses.replace(features, values=features.values * 100 - 50)
    source = SpeechSource(avatar.talker, avatar.poses, wild, np.ones(200, np.float32))
    code = avatar.talker.mouth_code(source.chunk(0, 200))
    assert float(code.abs().max()) <= avatar.talker.mouth.limit
    assert torch.isfinite(code).all()
