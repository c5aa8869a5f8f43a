from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.evaluate.lips import correlation
from nerf_talker.evaluate.ridge import Ridge
from nerf_talker.evaluate.speech_expert import expected_gaps
from nerf_talker.geometry.mesh import lip_gap
from tests.evaluate.toy_face import gap_signal


def test_ridge_finds_a_linear_law():
    rng = np.random.default_rng(0)
    features, weights = rng.normal(size=(300, 20)), rng.normal(size=20)
    targets = features @ weights + 3
    unseen = rng.normal(size=(50, 20))
    assert Ridge.fit(features, targets)(unseen) == pytest.approx(unseen @ weights + 3, abs=0.1)


def test_ridge_on_pure_noise_says_the_mean():
    rng = np.random.default_rng(0)
    fitted = Ridge.fit(rng.normal(size=(300, 200)), rng.normal(size=300))
    assert np.abs(fitted(rng.normal(size=(50, 200)))).mean() < 0.4


def test_ridge_of_constant_features_is_the_mean():
    fitted = Ridge.fit(np.ones((30, 4)), np.arange(30.0))
    assert fitted(np.ones((2, 4))) == pytest.approx([14.5, 14.5])


def test_expert_expects_the_gap_from_sound_it_never_heard(toy):
    test = toy.manifest.range("test")
    expected = expected_gaps(toy, test)
    assert correlation(expected, lip_gap(toy.track.landmarks[test.start : test.stop])) > 0.8


def test_expert_never_sees_the_measured_frames(toy):
    test = toy.manifest.range("test")
    points = toy.track.landmarks.copy()
    points[test.start :] = points[:1] + gap_signal(len(test))[:, None, None]
    other = replace(toy, track=replace(toy.track, landmarks=points))
    assert np.array_equal(expected_gaps(toy, test), expected_gaps(other, test))
