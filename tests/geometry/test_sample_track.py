"""Tracking the drawn sample person, whose poses are known: what is asked of it, in numbers."""

import numpy as np
import pytest

from nerf_talker.data.synthetic import render_sample
from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import project
from nerf_talker.geometry.headshape import mean_head
from nerf_talker.geometry.rotation import logarithm
from nerf_talker.geometry.tracking import frame_by_frame, on_pictures, track_head
from nerf_talker.types import Camera

from .truth import pose_error, true_poses

SIZE, FRAMES = 160, 96
CAMERA = Camera(2.0 * SIZE, (SIZE / 2, SIZE / 2), SIZE, SIZE)


@pytest.fixture(scope="module")
def sample():
    """Truth, true landmarks and grey pictures of the first seconds."""
    drawn = render_sample(12.0, SIZE, frames=list(range(FRAMES)))
    truth = true_poses(np.linalg.inv(drawn.performance.head_to_camera[:FRAMES]))
    marks = np.stack([picture.landmarks for picture in drawn.pictures]).astype(np.float64)
    grey = [np.round(p.rgb @ [0.299, 0.587, 0.114]).astype(np.uint8) for p in drawn.pictures]
    return truth, marks, grey


@pytest.fixture(scope="module")
def noisy(sample):
    """Landmarks with an error of 1 px at 512 in each coordinate, and their track."""
    marks = sample[1].copy()
    noise = np.random.default_rng(0).normal(size=(*marks.shape[:2], 2))
    marks[..., :2] += SIZE / 512 * noise
    valid = np.ones(FRAMES, bool)
    return marks, track_head(CAMERA, marks, valid, mean_head(marks, valid))


def error_of(track, truth):
    return pose_error(CAMERA, track.poses, truth, track.shape[mesh.NOSE_BRIDGE])


def holds(error, coarse):
    assert error.degrees <= 0.5
    assert error.distance_percent <= 1.0
    assert error.pumping_percent <= 0.5
    assert error.jitter <= 0.5 * coarse.jitter


def test_landmarks_with_noise_give_true_poses(sample, noisy):
    truth, marks, _ = sample
    seen, track = noisy
    coarse = error_of(frame_by_frame(CAMERA, track, seen), truth)
    holds(error_of(track, truth), coarse)
    rigid = list(mesh.RIGID)
    shown = project(CAMERA, track.poses.in_camera(track.shape[rigid]))
    away = np.linalg.norm(shown - marks[:, rigid, :2], axis=-1) * 512 / SIZE
    assert np.percentile(away, 95) <= 1.0


def test_pictures_repair_a_bias_that_landmarks_cannot_show(sample, noisy):
    truth, _, grey = sample
    marks, _ = noisy
    # All landmarks follow the expression by up to 2 px down, as a landmarker's do.
    biased = marks.copy()
    biased[..., 1] += (2 * SIZE / 512 * np.sin(np.arange(FRAMES) / 9))[:, None]
    valid = np.ones(FRAMES, bool)
    track = track_head(CAMERA, biased, valid, mean_head(biased, valid))
    aligned = on_pictures(CAMERA, track, biased, lambda: iter(grey))
    before, after = error_of(track, truth), error_of(aligned, truth)
    assert after.distance_percent < 0.6 * before.distance_percent
    coarse = error_of(frame_by_frame(CAMERA, track, biased), truth)
    assert after.pumping_percent <= 0.5 and after.distance_percent <= 1.0
    assert after.jitter <= 0.5 * coarse.jitter


def test_nothing_lags(sample, noisy):
    truth, _, _ = sample
    truth_yaw, yaw = (logarithm(p.rotation)[:, 1] for p in (truth, noisy[1].poses))
    scores = [
        np.corrcoef(np.diff(truth_yaw)[8:-8], np.diff(yaw)[8 + k : FRAMES - 9 + k])[0, 1]
        for k in range(-3, 4)
    ]
    assert np.argmax(scores) == 3
