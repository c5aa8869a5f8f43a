from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.errors import DatasetError
from nerf_talker.evaluate.crop_reader import CropReader, MouthPlace
from nerf_talker.evaluate.lips import correlation
from nerf_talker.geometry.mesh import lip_gap


@pytest.fixture(scope="module")
def reader(toy):
    return CropReader.fit(toy, "no model")


def test_mouth_is_cut_out_alike_from_a_turned_and_enlarged_picture(toy):
    import cv2

    place = MouthPlace.learn(toy.track.landmarks[:, :, :2], list(toy.manifest.range("train")))
    turn = 1.5 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    matrix = np.concatenate([turn, [[3.0], [-9.0]]], 1)
    moved = cv2.warpAffine(toy.frames[0], matrix, (96, 96), flags=cv2.INTER_CUBIC)
    points = toy.track.landmarks[:1, :, :2] @ turn.T + matrix[:, 2]
    elsewhere = replace(place, landmarks=points.astype(np.float32))
    assert np.abs(elsewhere.small(moved, 0) - place.small(toy.frames[0], 0)).mean() < 0.01


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
