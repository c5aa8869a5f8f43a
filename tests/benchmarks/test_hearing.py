import numpy as np

from nerf_talker.audio.pretrain.speech import Utterance

from .hearing import RATE, changes, exact_opening, heard_opening, likeness, resampled, shared_times


def said(letters, starts, seconds):
    samples = np.zeros(round(seconds * RATE), np.int16)
    return Utterance(samples, tuple(letters), np.array(starts, np.float32))


def test_voices_are_laid_over_each_other_by_the_sounds_they_share():
    one = said(["", "b", "i", "t", ""], [0, 0.1, 0.2, 0.4, 0.5], 0.6)
    other = said(["", "b", "e", "i", "t", ""], [0, 0.2, 0.3, 0.4, 0.8, 1.0], 1.2)
    anchors = shared_times(one, other)
    np.testing.assert_allclose(anchors[:, 0], [0, 0.1, 0.2, 0.4, 0.5, 0.6], atol=1e-6)
    np.testing.assert_allclose(anchors[:, 1], [0, 0.2, 0.4, 0.8, 1.0, 1.2], atol=1e-6)


def test_a_voice_is_like_itself():
    chance = np.random.default_rng(0)
    swell = np.sin(np.arange(RATE) / RATE * 20) > 0
    samples = (8000 * swell * chance.normal(size=RATE) * 0.3).astype(np.int16)
    utterance = Utterance(samples, ("", "a", ""), np.array([0, 0.3, 0.9], np.float32))
    for curve in (heard_opening, exact_opening):
        assert likeness(utterance, utterance, curve) > 0.999


def test_changes_keep_the_length_and_the_range():
    sound = (0.2 * np.sin(np.arange(4000) / 20)).astype(np.float32)
    made = list(changes(sound))
    assert len(made) == 9
    for _, before, after in made:
        assert len(before) == len(after) == 4000 and np.abs(after).max() <= 1
    assert np.abs(resampled(sound, 48000) - sound)[100:-100].max() < 0.01
