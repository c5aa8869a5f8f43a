from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.errors import DatasetError
from nerf_talker.evaluate.crop_reader import CropReader, _similarity
from nerf_talker.evaluate.lips import correlation, lip_gap


@pytest.fixture(scope="module")
def reader(toy):
    return CropReader.fit(toy, "no model")


def test_similarity_undoes_turn_scale_and_shift():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(9, 2))
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    source = 2.5 * target @ turn.T + [3, -4]
    move = _similarity(source, target)
    assert source @ move[:, :2].T + move[:, 2] == pytest.approx(target)


def test_gap_is_read_from_unseen_frames(toy, reader):
    test = toy.manifest.range("test")
    read = np.array([reader.read(toy.frames[k], k).lip_gap for k in test])
    truth = lip_gap(toy.track.landmarks[test.start : test.stop])
    assert correlation(read, truth) > 0.95
    assert np.sqrt(np.mean((read - truth) ** 2)) < 0.02


def test_reading_follows_the_picture_and_not_the_true_lips(toy, reader):
    test = toy.manifest.range("test")
    shown = toy.frames[test.start]
    gaps = [reader.read(shown, k).lip_gap for k in test]
    assert np.ptp(gaps) < 1e-6


def test_reader_knows_no_landmarks_and_says_why(toy, reader):
    assert reader.read(toy.frames[0], 0).landmarks is None
    assert reader.missing_landmarks == "no model" and reader.name == "crop regression"


def test_no_training_frame_with_a_face_is_one_sentence(toy):
    blind = replace(toy, track=replace(toy.track, valid=np.zeros(toy.manifest.frames, bool)))
    with pytest.raises(DatasetError, match="no training frame"):
        CropReader.fit(blind, "no model")
