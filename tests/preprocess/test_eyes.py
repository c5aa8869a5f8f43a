"""Blinks, openness and gaze on drawn eyes, on the sample head, and through the dataset."""

import numpy as np
import pytest

from nerf_talker.data.dataset import Dataset, read_eyes
from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.data.sample_motion import perform
from nerf_talker.data.synthetic import render_sample, truth_arrays
from nerf_talker.errors import DatasetError
from nerf_talker.geometry import mesh
from nerf_talker.preprocess.eyes import LIDS, blinks, eye_track
from nerf_talker.preprocess.stages.expression import _long_closed, _side_views, yaw_degrees

from .tiny import FRAMES


def drawn_eyes(openness, gaze=(0.0, 0.0), shut=0.08, opened=0.35, roll=0.0):
    """(F, 478, 3) landmarks: two eyes of 20 px whose lids are apart as asked for."""
    frames = len(openness)
    points = np.zeros((frames, mesh.POINTS, 3), np.float32)
    aperture = shut + (opened - shut) * np.asarray(openness)
    for rim, iris, middle in ((mesh.RIGHT_EYE, 468, 60.0), (mesh.LEFT_EYE, 473, 140.0)):
        outwards = -1 if rim is mesh.RIGHT_EYE else 1
        points[:, rim[0], 0], points[:, rim[8], 0] = middle + 10 * outwards, middle - 10 * outwards
        points[:, [rim[0], rim[8]], 1] = 100
        for up, down in LIDS:
            points[:, [rim[up], rim[down]], 0] = middle
            points[:, rim[up], 1] = 100 - 10 * aperture
            points[:, rim[down], 1] = 100 + 10 * aperture
        points[:, iris, :2] = np.array([middle, 100]) + 20 * np.asarray(gaze)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    points[..., :2] = points[..., :2] @ turn.T
    return points


def with_blinks(frames, starts, length=4, depth=1.0):
    openness = np.ones(frames)
    for start in starts:
        openness[start : start + length] = 1 - depth
    return openness


@pytest.mark.parametrize(("shut", "opened"), [(0.03, 0.4), (0.12, 0.25)])
def test_planted_blinks_are_found_whatever_the_eyes(shut, opened):
    starts = [20, 77, 140]
    landmarks = drawn_eyes(with_blinks(200, starts), shut=shut, opened=opened)
    eyes = eye_track(landmarks, np.ones(200, bool))
    np.testing.assert_array_equal(eyes.blinks, [[s, s + 4, 1] for s in starts])
    np.testing.assert_allclose(eyes.span, [[shut, opened]] * 2, atol=1e-3)
    assert np.unique(eyes.openness.round(3)).tolist() == [0, 1]


def test_hysteresis_joins_a_flutter_and_ignores_a_squint():
    openness = np.ones(60)
    openness[10:16] = [0.7, 0.2, 0.6, 0.1, 0.7, 0.72]
    openness[30:40] = 0.55
    assert list(blinks(openness)) == [(10, 16, 0.9)]


def test_eyes_that_never_close_have_no_blink():
    calm = 1 + 0.05 * np.sin(np.arange(200))
    assert len(eye_track(drawn_eyes(calm), np.ones(200, bool)).blinks) == 0


def test_interpolated_frames_do_not_set_the_range():
    openness = with_blinks(200, [50])
    landmarks, valid = drawn_eyes(openness), np.ones(200, bool)
    landmarks[100:110] = drawn_eyes(np.full(10, -0.25))
    valid[100:110] = False
    np.testing.assert_allclose(eye_track(landmarks, valid).span[:, 0], 0.08, atol=1e-3)


@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_gaze_is_measured_along_the_eyes_own_axis(roll):
    eyes = eye_track(drawn_eyes(np.ones(5), (0.2, -0.1), roll=roll), np.ones(5, bool))
    np.testing.assert_allclose(eyes.gaze, [[0.2, -0.1]] * 5, atol=1e-5)


def test_blinks_of_the_sample_head_against_its_truth():
    performance = perform(20.0, 3)
    closed = np.array([face.blink for face in performance.faces]) > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed, [0]])))
    truth = list(zip(edges[::2], edges[1::2], strict=True))
    chosen = sorted({f for a, b in truth for f in range(max(a - 4, 0), min(b + 4, 500))})
    sample = render_sample(20.0, 64, 3, chosen)
    marks = truth_arrays(performance, sample.scene, sample.pictures)["landmarks"]
    eyes = eye_track(marks.astype(np.float32), np.ones(len(marks), bool))
    found = [(chosen[int(a)], chosen[int(b) - 1] + 1) for a, b, _ in eyes.blinks]
    hits = sum(any(c < b and a < d for c, d in found) for a, b in truth)
    assert len(truth) >= 3
    assert 2 * hits / (len(truth) + len(found)) >= 0.9


def test_the_dataset_holds_the_eyes_and_does_without(copied):
    eyes = Dataset.open(copied).eyes
    assert eyes is not None
    assert eyes.openness.shape == eyes.gaze.shape == (FRAMES, 2)
    with pytest.raises(DatasetError, match="has 60 rows, the manifest says 7"):
        read_eyes(DatasetFiles(copied).eyes, 7)
    DatasetFiles(copied).eyes.unlink()
    assert Dataset.open(copied).eyes is None


def test_eyes_shut_for_long_are_told_with_their_time_and_looking_down_is_not():
    openness = with_blinks(200, [20])
    openness[50:80] = 0.5
    assert not _long_closed(eye_track(drawn_eyes(openness), np.ones(200, bool)), 25)
    openness[100:125] = 0.0
    (text,) = _long_closed(eye_track(drawn_eyes(openness), np.ones(200, bool)), 25)
    assert "4.00-5.00 s" in text


def test_side_views_are_told_with_their_time():
    angles = np.radians(np.where(np.arange(100) // 25 == 2, 40.0, 5.0))
    turns = np.array([[[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
                      for a in angles])  # fmt: skip
    (text,) = _side_views(turns, 25)
    assert "2.00-3.00 s" in text
    assert not _side_views(turns[:40], 25)


def test_yaw_is_the_turn_about_the_vertical():
    angles = np.radians([-40.0, 0.0, 25.0])
    turns = np.array([[[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
                      for a in angles])  # fmt: skip
    np.testing.assert_allclose(yaw_degrees(turns), [-40, 0, 25], atol=1e-9)
