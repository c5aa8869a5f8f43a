"""Laws of head tracking on a made-up rigid head whose poses are known."""

import numpy as np
import pytest

from nerf_talker.errors import InputError
from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import (
    Poses,
    landmark_terms,
    pnp_poses,
    project,
    projection_jacobian,
    solve_smooth,
)
from nerf_talker.geometry.headshape import (
    OUTER_EYE_DISTANCE,
    ellipsoid_depth,
    mean_head,
    similarity,
)
from nerf_talker.geometry.rotation import exponential, logarithm
from nerf_talker.geometry.track_report import difference, report_track, wander
from nerf_talker.geometry.tracking import (
    expression_landmarks,
    frame_by_frame,
    held,
    smoothed,
    track_head,
)

from .heads import CAMERA, head_motion, head_shape, seen_landmarks

FRAMES = 200


@pytest.fixture(scope="module")
def noisy():
    shape, poses = head_shape(), head_motion(FRAMES)
    landmarks = seen_landmarks(poses, shape, 1.0)
    valid = np.ones(FRAMES, bool)
    return shape, poses, landmarks, track_head(CAMERA, landmarks, valid, shape)


def degrees(first, second):
    turn = logarithm(first.rotation @ np.swapaxes(second.rotation, 1, 2))
    return np.degrees(np.linalg.norm(turn, axis=1))


def test_poses_are_recovered(noisy):
    _, truth, _, track = noisy
    assert np.sqrt((degrees(track.poses, truth) ** 2).mean()) < 0.5
    distance = np.linalg.norm(track.poses.translation - truth.translation, axis=1)
    assert np.sqrt((distance**2).mean()) < 0.01 * 0.8
    assert report_track(CAMERA, track, noisy[2]).reprojection_rms < 1.6


def bridge(poses, shape):
    return project(CAMERA, poses.in_camera(shape[[mesh.NOSE_BRIDGE]]))[:, 0]


def test_jitter_is_at_least_halved(noisy):
    shape, truth, _, track = noisy
    error = [bridge(p, track.shape) - bridge(truth, shape) for p in (track.poses, track.coarse)]
    assert difference(error[0], 2) < 0.5 * difference(error[1], 2)


def test_the_report_says_what_was_gained(noisy):
    _, _, landmarks, track = noisy
    report = report_track(CAMERA, track, landmarks)
    # A distance of two normal errors of 1 px has the median 1.18 and the 95th percentile 2.45.
    assert report.reprojection_median == pytest.approx(1.18, rel=0.1)
    assert report.reprojection_p95 == pytest.approx(2.45, rel=0.1)
    assert report.jitter < 0.6 * report.jitter_pnp
    assert report.depth_jitter < 0.2 * report.depth_jitter_pnp
    assert report.held == 0
    alone = frame_by_frame(CAMERA, track, landmarks)
    assert report_track(CAMERA, alone, landmarks).jitter == pytest.approx(
        report.jitter_pnp, rel=0.1
    )


def test_noise_does_not_wander_and_drift_does(noisy):
    _, _, landmarks, track = noisy
    assert wander(CAMERA, track, landmarks) < 0.2
    drifting = landmarks.copy()
    side = list(mesh.RIGID[::2])
    drifting[:, side, 0] += 2 * np.sin(np.arange(FRAMES) / 12)[:, None]
    drifting[:, list(mesh.RIGID[1::2]), 0] -= 2 * np.sin(np.arange(FRAMES) / 12)[:, None]
    assert wander(CAMERA, track, drifting) == pytest.approx(2 / np.sqrt(2), rel=0.1)


def test_differences_of_a_path():
    path = np.stack([np.arange(6.0) ** 2, np.zeros(6)], 1)
    assert (difference(path, 2), difference(path, 3)) == (2, 0)
    assert difference(path[:2], 2) == 0


def test_the_measure_of_jitter_leaves_splices_out():
    path = np.arange(20.0)[:, None] ** 2
    path[8:] += 500
    assert difference(path, 2) > 100
    assert (difference(path, 2, [8]), difference(path, 3, [8])) == (2, 0)
    assert difference(path[:3], 2, [1, 2]) == 0


def test_tracking_adds_no_lag(noisy):
    _, truth, _, track = noisy
    a = logarithm(truth.rotation)[:, 1]
    b = logarithm(track.poses.rotation)[:, 1]
    scores = [np.corrcoef(a[20:-20], b[20 + lag : FRAMES - 20 + lag])[0, 1] for lag in range(-5, 6)]
    assert np.argmax(scores) == 5


def test_invalid_frames_are_bridged():
    shape, poses = head_shape(), head_motion(80)
    landmarks = seen_landmarks(poses, shape, 0.3)
    valid = np.ones(80, bool)
    valid[30:36] = False
    landmarks[30:36] += 25
    track = track_head(CAMERA, landmarks, valid, shape)
    assert degrees(track.poses, poses).max() < 1.5


def test_impossible_landmarks_are_refused_with_their_frame():
    shape = head_shape()
    landmarks = seen_landmarks(head_motion(4), shape, 0)
    landmarks[2] = np.nan
    with pytest.raises(InputError, match="frame 2"):
        pnp_poses(CAMERA, shape[list(mesh.RIGID)], landmarks[:, list(mesh.RIGID), :2])


def test_jacobian_matches_differences():
    poses, points = head_motion(3), head_shape()[:9]
    _, jacobian = projection_jacobian(CAMERA, poses, points)
    for axis in range(6):
        step = np.zeros((3, 6))
        step[:, axis] = 1e-6
        ahead = project(CAMERA, poses.moved(step).in_camera(points))
        behind = project(CAMERA, poses.moved(-step).in_camera(points))
        np.testing.assert_allclose(
            jacobian[..., axis], (ahead - behind) / 2e-6, rtol=1e-4, atol=1e-3
        )


def test_true_poses_leave_no_pull():
    poses, points = head_motion(3), head_shape()[:40]
    seen = project(CAMERA, poses.in_camera(points))
    _, right = landmark_terms(CAMERA, poses, points, seen, np.ones((3, 40)))
    np.testing.assert_allclose(right, 0, atol=1e-6)


def test_mean_head_is_the_shape_up_to_perspective(noisy):
    shape, _, landmarks, _ = noisy
    found = mean_head(landmarks, np.ones(FRAMES, bool))
    assert np.linalg.norm(found[33] - found[263]) == pytest.approx(OUTER_EYE_DISTANCE)
    scale, _, _ = similarity(found, shape)
    assert scale == pytest.approx(1, abs=0.05)
    assert np.linalg.norm(found - shape, axis=1).mean() < 0.006


def test_expression_moves_only_its_landmark(noisy):
    shape, truth, _, _ = noisy
    still = seen_landmarks(truth, shape, 0)
    moved = still.copy()
    moved[::2, 14, 1] += 6
    before = expression_landmarks(CAMERA, shape, still)
    after = expression_landmarks(CAMERA, shape, moved)
    step = 6 * truth.translation[::2, 2] / CAMERA.focal
    np.testing.assert_allclose((after - before)[::2, 14, 1], step, rtol=0.15)
    np.testing.assert_allclose(np.delete(after, 14, 1), np.delete(before, 14, 1), atol=1e-9)


def test_similarity_recovers_itself():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(12, 3))
    turn, shift = exponential(np.array([0.3, -0.2, 0.9])), np.array([1.0, 2.0, -3.0])
    scale, rotation, translation = similarity(points, 1.7 * points @ turn.T + shift)
    assert scale == pytest.approx(1.7)
    np.testing.assert_allclose(rotation, turn, atol=1e-9)
    np.testing.assert_allclose(translation, shift, atol=1e-9)


def test_depth_for_flat_landmarks_bulges_towards_the_camera(noisy):
    _, _, landmarks, _ = noisy
    depth = ellipsoid_depth(landmarks[:1, :, :2])
    edge = depth[0, list(mesh.EAR_SIDES)].mean()
    assert depth[0, mesh.NOSE_BRIDGE] == 0
    assert edge > 20


def test_nothing_is_smoothed_across_a_splice():
    steps = np.zeros((20, 3))
    steps[12:, 0] = 1.0
    poses = Poses(np.tile(np.eye(3), (20, 1, 1)), steps)
    assert np.abs(smoothed(poses, 1.0).translation - steps).max() > 0.2
    assert np.abs(smoothed(poses, 1.0, [12]).translation - steps).max() < 1e-12


def test_the_acceleration_prior_ends_at_a_splice():
    jump = np.zeros((20, 3))
    jump[:, 2], jump[12:, 0] = 1.0, 0.05
    poses = Poses(np.tile(np.eye(3), (20, 1, 1)), jump)
    normal = np.tile(np.eye(6), (20, 1, 1))
    still = np.zeros((20, 6))
    held = solve_smooth(poses, normal, still)
    free = solve_smooth(poses, normal, still, splices=[12])
    assert np.abs(held).max() > 1e-3 > 1e-9 > np.abs(free).max()


def test_without_a_face_up_to_a_splice_the_head_stands_still():
    shape, poses = head_shape(), head_motion(60)
    landmarks = seen_landmarks(poses, shape, 0.3)
    valid = np.ones(60, bool)
    valid[20:45] = False
    landmarks[20:45] = landmarks[19]
    track = track_head(CAMERA, landmarks, valid, shape, splices=[32])
    moved = np.diff(track.poses.translation, axis=0)
    np.testing.assert_array_equal(moved[19:31], 0)
    np.testing.assert_array_equal(moved[32:45], 0)
    assert np.abs(moved[31]).max() > 0
    bridged = track_head(CAMERA, landmarks, valid, shape).poses.translation
    assert (np.abs(np.diff(bridged, axis=0)[19:44]).max(1) > 0).all()


def test_a_piece_without_any_face_takes_the_nearest_pose():
    poses = Poses(np.tile(np.eye(3), (9, 1, 1)), np.arange(9.0)[:, None].repeat(3, 1))
    seen = np.array([1, 1, 0, 0, 0, 0, 0, 1, 1], bool)
    stands = held(poses, seen, [3, 6]).translation[:, 0]
    np.testing.assert_array_equal(stands, [0, 1, 1, 1, 1, 1, 7, 7, 8])
