import numpy as np
import pytest

from nerf_talker.evaluate.metrics.blendshape_error import LOWER, UPPER, blendshape_error
from nerf_talker.evaluate.metrics.blinks import blinks, eye_openness, lid_correlation
from nerf_talker.evaluate.metrics.head_pose import pose_error
from nerf_talker.evaluate.metrics.identity import NOSE_TIP, PLACES, SIDE, cosine, face_crop
from nerf_talker.evaluate.metrics.landmark_distance import FACE, eye_distance, landmark_distance
from nerf_talker.evaluate.metrics.mesh_error import mesh_error, upper_face
from nerf_talker.evaluate.metrics.silence import closed_in_silence, silent_frames
from nerf_talker.evaluate.metrics.smoothness import smoothness
from nerf_talker.geometry.headshape import OUTER_EYE_DISTANCE, canonical_placement
from nerf_talker.geometry.mesh import EYE_CORNERS, LIPS

FPS = 25.0


@pytest.fixture(scope="module")
def head():
    """The sample head's landmarks in pixels, facing the camera, 200 between the eye corners."""
    from nerf_talker.data.synthetic import render_sample

    points = render_sample(1.0, 128, 0, [0]).pictures[0].landmarks.astype(np.float64)
    first, second = EYE_CORNERS
    return points * 200 / np.linalg.norm(points[first] - points[second])


def turned(cloud, degrees):
    a = np.radians(degrees)
    about = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return (cloud - cloud.mean(0)) @ about.T + cloud.mean(0)


def test_f_lmd_takes_the_whole_face_and_lmd_the_lips(head):
    truth = np.stack([head, head])
    moved = truth.copy()
    moved[:, LIPS[:20], 1] += 4
    assert landmark_distance(moved, truth, LIPS) == pytest.approx(2.0)
    wanted = (20 * (4 - 80 / 478) + 458 * 80 / 478) / 478
    assert landmark_distance(moved, truth, FACE) == pytest.approx(wanted)
    assert eye_distance(truth) == pytest.approx(np.linalg.norm(head[33, :2] - head[263, :2]))
    moved[1] = np.nan
    assert np.isnan(landmark_distance(moved, truth, LIPS)[1])


def test_blendshape_error_sums_mean_squares_by_region():
    truth = np.zeros((4, 52), np.float32)
    pred = truth.copy()
    pred[:, 25], pred[:2, 9] = 0.5, 1.0
    assert blendshape_error(pred, truth, LOWER) == pytest.approx(0.25)
    assert blendshape_error(pred, truth, UPPER) == pytest.approx(0.5)
    assert not set(UPPER) & set(LOWER)
    assert blendshape_error(np.full((4, 52), np.nan), truth, LOWER) is None


def test_lve_is_the_largest_lip_error_in_millimetres_whatever_the_pose(head):
    truth = np.stack([head] * 3)
    pred = np.stack([1.7 * turned(head, angle) + 30 for angle in (0, 10, -20)])
    error = mesh_error(pred, truth)
    assert error.lve_mm == pytest.approx(0, abs=1e-6) and error.fdd_mm == pytest.approx(0, abs=1e-6)
    pred = truth.copy()
    pred[1, LIPS[3], 1] += 20  # a tenth of the distance of the eyes: 8.9 mm
    pred[1, LIPS[5], 1] += 10
    error = mesh_error(pred, truth)
    tenth = OUTER_EYE_DISTANCE * 100
    assert error.lve_mm == pytest.approx([0, tenth, 0], abs=1e-6)
    assert error.lve_squared_mm2 == pytest.approx(tenth**2 / 3)


def test_fdd_is_positive_for_a_face_too_still_and_names_the_millimetres(head):
    upper = upper_face(canonical_placement(head))
    brow = [k for k in (52, 65, 282, 295) if k in upper]
    assert len(brow) == 4 and not set(LIPS) & set(upper)
    truth = np.stack([head] * 8)
    truth[::4, brow, 1] -= 20
    # Displaced in 2 of 8 frames by 8.9 mm: from their mean by 6.675 and 2.225 mm.
    far, near = 0.75 * OUTER_EYE_DISTANCE * 100, 0.25 * OUTER_EYE_DISTANCE * 100
    spread = np.std([far] * 2 + [near] * 6)
    frozen = np.stack([truth.mean(0)] * 8)
    error = mesh_error(frozen, truth)
    assert error.fdd_mm == pytest.approx(spread * 4 / len(upper), rel=1e-6)
    assert error.fdd_abs_mm == pytest.approx(error.fdd_mm)
    assert mesh_error(truth, truth).fdd_abs_mm == 0


@pytest.mark.parametrize("degrees", [0, 0.01, 5, -30])
def test_head_pose_error_is_the_angle(head, degrees):
    pred = np.stack([turned(head, degrees) * 0.5, np.full_like(head, np.nan)])
    found = pose_error(pred, np.stack([head, head]))
    assert found[0] == pytest.approx(abs(degrees), abs=1e-6) and np.isnan(found[1])


def test_smoothness_of_a_shake_and_of_a_frozen_head(head):
    time = np.arange(60.0)
    sway = head + 8 * np.sin(time / 6)[:, None, None] * np.array([1, 0, 0])
    same = smoothness(sway, sway, 512)
    assert same.acceleration_ratio == 1 and same.movement_ratio == 1
    assert same.acceleration_error == 0
    shaken = sway + np.where(time % 2, 0.5, -0.5)[:, None, None] * np.array([0, 1, 0])
    found = smoothness(shaken, sway, 256)
    assert found.acceleration_error == pytest.approx(2 * 512 / 256)  # 4 times 0.5 pixels, at 512
    assert found.acceleration_ratio > 5
    frozen = smoothness(np.stack([head] * 60), sway, 512)
    assert frozen.movement_ratio == pytest.approx(0) and frozen.acceleration_ratio == 0
    assert smoothness(sway, np.stack([head] * 60), 512).movement_ratio is None
    assert smoothness(np.full_like(sway, np.nan), sway, 512).acceleration_error is None


def lids(head, openness):
    points = np.stack([head] * len(openness))
    for upper, lower in ((160, 144), (158, 153), (387, 373), (385, 380)):
        middle = (head[upper] + head[lower]) / 2
        reach = (head[upper] - head[lower]) / 2
        points[:, upper] = middle + openness[:, None] * reach
        points[:, lower] = middle - openness[:, None] * reach
    return points


def test_blinks_are_counted_and_timed(head):
    openness = np.ones(250)
    for start, length in ((30, 5), (100, 3), (180, 4)):
        openness[start : start + length] = 0.1
    openness[210:240] = 0.2  # a long look down is no blink
    openness[60:64] = 0.65  # nor is a lid that only sinks
    found = blinks(eye_openness(lids(head, openness)), FPS)
    assert found.per_minute == pytest.approx(3 / (10 / 60))
    assert found.seconds == pytest.approx(4 / FPS)
    assert blinks(np.ones(250), FPS).seconds is None and blinks(np.ones(250), FPS).per_minute == 0
    assert blinks(np.ones(20), FPS) is None
    assert np.isnan(eye_openness(np.full((3, 478, 3), np.nan))).all()


def test_eyes_that_do_not_shut_are_told_by_their_correlation(head):
    noise = 0.01 * np.random.default_rng(0).random(250)
    truth = 1 - noise
    truth[[50, 51, 52, 130, 131, 200, 201]] = 0.2
    half, never = 1 - 0.4 * (1 - truth), np.where(truth < 0.5, 1, truth)

    def against(openness):
        return lid_correlation(lids(head, openness), lids(head, truth))

    assert against(truth) == pytest.approx(1)
    assert against(half) == pytest.approx(1), "how far is told by the blinks that are counted"
    assert against(never + noise[::-1]) < 0.3
    assert against(np.ones(250)) is None
    assert lid_correlation(lids(head, truth), lids(head, never)) is None


def test_lips_closed_in_silence():
    energy = np.full(40, np.log(0.01))
    energy[10:30] = np.log(1e-6)
    assert list(np.flatnonzero(silent_frames(energy))) == list(range(11, 29))
    gaps = np.full(40, 0.2)
    gaps[11:20] = 0.01
    assert closed_in_silence(gaps, energy) == pytest.approx(9 / 18)
    assert closed_in_silence(np.full(40, np.nan), energy) is None
    assert closed_in_silence(gaps, np.full(40, -3.0)) is None


def test_face_crop_puts_the_features_where_recognition_wants_them(head):
    picture = np.zeros((512, 512, 3), np.uint8)
    marks = head[:, :2] * 0.8
    x, y = np.round(marks[NOSE_TIP]).astype(int)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    face = face_crop(picture, marks.astype(np.float32))
    assert face.shape == (SIDE, SIDE, 3)
    rows, columns = np.nonzero(face[..., 0] > 100)
    assert np.hypot(columns.mean() - PLACES[2, 0], rows.mean() - PLACES[2, 1]) < 8
    a, b = np.array([1.0, 0]), np.array([1.0, 1])
    assert cosine(a, 3 * a) == 1 and cosine(a, b) == pytest.approx(np.sqrt(0.5))
