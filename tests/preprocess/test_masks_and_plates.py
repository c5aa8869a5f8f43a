"""Head matte, still layers and the torso's motion, on painted pictures."""

import cv2
import numpy as np
import pytest

from nerf_talker.data.labels import Label, is_head
from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import project
from nerf_talker.preprocess.classes import Classes, classes_of, label_map
from nerf_talker.preprocess.features import coverage, features_of
from nerf_talker.preprocess.headmask import (
    HeadFrame,
    fit_edge,
    hair_from_person,
    head_matte,
    outline,
)
from nerf_talker.preprocess.plates import diffuse, masked_median, sampled, training_rows
from nerf_talker.preprocess.stages.landmarks import time_ranges
from nerf_talker.preprocess.torso_motion import as_plate_motion, follow, make_reference, settle
from tests.geometry.heads import CAMERA, head_motion, head_shape

SIZE = 512


@pytest.fixture(scope="module")
def scene():
    """Landmarks, hair and person probabilities of a painted upright head over a torso."""
    landmarks = project(CAMERA, head_motion(1).in_camera(head_shape()))[0]
    frame = HeadFrame.of(landmarks)
    across, down = frame.coordinates(SIZE)
    hair = ((across**2 + (down + 0.7) ** 2 < 1.2) & (down < -0.75)).astype(np.float32)
    torso = (down > 1.15) & (np.abs(across) < 2.5)
    ears = (np.abs(across) < 1.15) & (down > -0.1) & (down < 0.45)
    body = np.maximum.reduce([outline(landmarks, SIZE), hair, torso, ears]).astype(np.float32)
    gap = (np.abs(across) < 0.9) & (down > -1.0) & (down < 0.1)
    return landmarks, hair, np.maximum(body, gap).astype(np.float32), down, across


def painted(scene):
    """A picture of the scene: brown hair, pale skin down to the collar, green jumper, grey wall."""
    _, hair, person, down, _ = scene
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    picture[person > 0.5] = (225, 175, 150)
    picture[hair > 0.5] = (80, 50, 30)
    picture[(down > 1.3) & (person > 0.5)] = (20, 90, 60)
    return picture


def test_the_head_has_face_hair_ears_and_no_hole(scene):
    landmarks, hair, person, down, across = scene
    matte = head_matte(hair, person, landmarks)
    assert matte[outline(landmarks, SIZE) > 0.99].min() > 0.99
    assert matte[hair > 0.5].min() > 0.5
    assert matte[(np.abs(across) < 1.1) & (down > 0) & (down < 0.4)].min() > 0.5
    assert matte[(np.abs(across) < 0.8) & (down > -0.95) & (down < 0.3)].min() > 0.5
    assert matte[down > 1.1].max() == 0


def test_classes_follow_the_matte(scene):
    landmarks, hair, person, down, _ = scene
    matte = head_matte(hair, person, landmarks)
    labels = label_map(matte, classes_of(painted(scene), hair, person, landmarks))
    np.testing.assert_array_equal(is_head(labels), matte >= 0.5)
    assert (labels[(down > 1.35) & (person > 0.5)] == Label.TORSO).all()
    neck = (np.abs(scene[4]) < 1) & (down > 1.17) & (down < 1.28) & (person > 0.5)
    assert (labels[neck] == Label.NECK).all()
    assert (labels[person == 0] != Label.TORSO).all()


def test_without_the_hair_model_short_hair_is_told_from_the_person(scene):
    landmarks, hair, person, down, across = scene
    guess = hair_from_person(person, landmarks)
    assert guess[(hair > 0.5) & (down < -1.05) & (np.abs(across) < 1.5)].min() > 0.5
    assert guess[down > 0.95].max() == 0
    assert guess[outline(landmarks, SIZE) > 0.99].max() < 0.01
    matte = head_matte(guess, person, landmarks)
    known = head_matte(hair, person, landmarks)
    assert ((matte >= 0.5) == (known >= 0.5)).mean() > 0.99
    labels = label_map(matte, classes_of(painted(scene), guess, person, landmarks))
    assert (labels[(hair > 0.5) & (down < -1.05) & (np.abs(across) < 1.5)] == Label.HAIR).all()
    assert (labels[(down > 1.35) & (person > 0.5)] == Label.TORSO).all()


def test_lips_and_eyes_are_those_of_the_mesh():
    landmarks = np.zeros((478, 2), np.float32)
    turn = np.arange(20) / 20 * 2 * np.pi
    for rim, centre, size in (
        (mesh.LIPS[:20], (60, 90), (20, 8)),
        (mesh.RIGHT_EYE, (40, 40), (10, 5)),
        (mesh.LEFT_EYE, (80, 40), (10, 5)),
    ):
        circle = np.stack([np.cos(turn), np.sin(turn)], 1)[: len(rim)]
        landmarks[list(rim)] = circle * size + centre
    plain = np.full((120, 120, 3), 128, np.uint8)
    head = np.full((120, 120), Label.FACE, np.uint8)
    classes = Classes(head, np.zeros_like(head), features_of(plain, landmarks))
    for size in (120, 60):
        found = label_map(np.ones((size, size), np.float32), classes.resized(size))
        z = 120 // size
        places = [(90, 60), (40, 40), (40, 80), (60, 60)]
        assert [found[y // z, x // z] for y, x in places] == [4, 5, 5, 3]
        # Where there is no edge to follow, the filter rounds the corners a little.
        polygon = 10 * np.sin(2 * np.pi / 20) * 20 * 8
        assert (found == Label.LIPS).sum() * z * z == pytest.approx(polygon, rel=0.08)


def test_an_outline_covers_the_share_it_covers():
    square = np.array([[2.25, 3.0], [6.5, 3.0], [6.5, 5.5], [2.25, 5.5]])
    share = coverage(square, (slice(1, 9), slice(2, 10)))
    assert share.sum() == pytest.approx(4.25 * 2.5)
    assert share[2, 0] == pytest.approx(0.75)
    assert share[1].max() == 0 and share[2:4, 1:4].min() == 1
    np.testing.assert_allclose(coverage(square[::-1], (slice(1, 9), slice(2, 10))), share)
    assert coverage(square, (slice(4, 4), slice(0, 3))).shape == (0, 3)


def test_features_at_the_picture_s_border_are_cut_off():
    landmarks = np.full((478, 2), -50, np.float32)
    landmarks[list(mesh.LIPS[:20])] = np.array([[-9, 20], [9, 20], [9, 40], [-9, 40]])[
        np.arange(20) // 5
    ]
    lips, eyes = features_of(np.full((64, 64, 3), 128, np.uint8), landmarks)
    assert lips.share[30, 2] > 0.9 and lips.share[30, 30] == 0
    assert eyes.share.max() == 0


def test_hair_the_model_half_sees_is_told_by_its_colour(scene):
    landmarks, hair, person, down, across = scene
    unsure = np.where(across < 0, hair, 0.3 * hair).astype(np.float32)
    matte = head_matte(hair, person, landmarks)
    labels = label_map(matte, classes_of(painted(scene), unsure, person, landmarks))
    crown = (hair > 0.5) & (down < -1.05)
    assert (labels[crown] == Label.HAIR).mean() > 0.97


def test_the_edge_moves_to_that_of_the_picture():
    y, x = np.mgrid[:200, :200]
    disc = np.clip(60.5 - np.hypot(x - 100, y - 100), 0, 1).astype(np.float32)
    picture = np.repeat(np.round(60 + 120 * disc)[..., None], 3, 2).astype(np.uint8)
    away = np.roll(disc, 3, 1)
    before, after = (np.abs(m - disc).sum() for m in (away, fit_edge(away, picture, disc < 0.5)))
    assert after < 0.6 * before
    np.testing.assert_array_equal(fit_edge(away, picture, np.zeros_like(disc, bool)), away)
    flat = fit_edge(disc, np.full_like(picture, 90), disc < 0.5)
    assert ((flat >= 0.5) == (disc >= 0.5)).mean() > 0.995
    np.testing.assert_array_equal(fit_edge(0 * disc, picture, disc < 0.5), 0)


def test_the_oval_is_antialiased_and_widens(scene):
    landmarks = scene[0]
    plain, wide = outline(landmarks, SIZE), outline(landmarks, SIZE, 1.24)
    assert ((plain > 0) & (plain < 1)).any()
    assert wide.sum() / plain.sum() == pytest.approx(1.24, rel=0.03)
    points = landmarks[list(mesh.FACE_OVAL)]
    assert plain.sum() == pytest.approx(_area(points), rel=0.02)


def _area(points):
    x, y = points.T[:2]
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def test_median_counts_only_what_was_seen():
    pictures = [np.full((4, 4, 3), value, np.uint8) for value in (10, 20, 30, 200)]
    seen = [np.ones((4, 4), bool) for _ in pictures]
    seen[3][:] = False
    for mask in seen:
        mask[0, 0] = False
    result, count = masked_median(pictures, seen)
    assert (result[1:] == 20).all() and count[0, 0] == 0
    assert (result[0, 0] == 0).all()


def test_diffusion_keeps_the_known_and_stays_within_it():
    values = np.zeros((40, 40, 1), np.float32)
    values[:, 20:] = 100
    known = np.ones((40, 40), bool)
    known[10:30, 5:35] = False
    filled = diffuse(np.where(known[..., None], values, 999), known)
    np.testing.assert_array_equal(filled[known], values[known])
    assert filled.min() >= -1e-3 and filled.max() <= 100 + 1e-3
    middle = filled[20, :, 0]
    assert (np.diff(middle) >= -2).all()


def test_sampled_frames_are_spread_and_unique():
    assert sampled(range(5), 10) == [0, 1, 2, 3, 4]
    assert sampled(range(1000), 3) == [0, 499, 999]
    assert sampled(range(10, 13), 2) == [10, 12]


@pytest.mark.parametrize("shape", [(64, 64), (60, 37), (5, 90)])
def test_filling_keeps_to_the_tones_that_are_known_however_far(shape):
    known = np.zeros(shape, bool)
    known[-(shape[0] // 5) :, 3:20] = True
    tones = np.random.default_rng(0).uniform(60, 80, (*shape, 2)).astype(np.float32)
    filled = diffuse(np.where(known[..., None], tones, 0).astype(np.float32), known)
    assert filled.min() >= 60 and filled.max() <= 80


def test_still_layers_are_made_from_training_frames_alone():
    rows = training_rows(110)
    assert (rows.start, rows.stop) == (0, 95)


def test_torso_motion_is_recovered():
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (160, 160)).astype(np.float32), (0, 0), 2)
    noise = np.clip((noise - 127) * 5 + 127, 0, 255).astype(np.uint8)
    labels = np.zeros((160, 160), np.uint8)
    labels[70:] = Label.TORSO
    truth = []
    for k in range(12):
        c, s = np.cos(0.01 * k), np.sin(0.01 * k)
        truth.append(np.array([[c, -s, 0.6 * k], [s, c, -0.4 * k]]))
    frames = [(cv2.warpAffine(noise, m, (160, 160), borderMode=2), labels) for m in truth]
    found, tracked = follow(make_reference(noise, labels), frames)
    assert tracked.all()
    corners = np.array([[40.0, 90], [120, 90], [80, 150]])
    for a, b in zip(found, truth, strict=True):
        place = [m[:, :2] @ corners.T + m[:, 2:] for m in (a, b)]
        assert np.abs(place[0] - place[1]).max() < 0.4


def test_an_untrackable_torso_stays_still():
    plain = np.full((64, 64), 90, np.uint8)
    labels = np.full((64, 64), Label.TORSO, np.uint8)
    matrices, tracked = follow(make_reference(plain, labels), [(plain, labels)] * 4)
    assert not tracked.any()
    motion = as_plate_motion(settle(matrices, tracked), 64)
    np.testing.assert_allclose(motion, np.tile([1, 0, 0, 0, 1, 0], (4, 1)), atol=1e-6)


def test_the_torso_is_not_smoothed_across_a_splice():
    matrices = np.tile(np.eye(2, 3), (10, 1, 1))
    matrices[5:, :, 2] = 8.0
    tracked = np.ones(10, bool)
    np.testing.assert_allclose(settle(matrices, tracked, [5]), matrices, atol=1e-9)
    assert np.abs(settle(matrices, tracked) - matrices).max() > 0.5
    tracked[4] = False
    np.testing.assert_allclose(settle(matrices, tracked, [5]), matrices, atol=1e-9)


def test_plate_motion_speaks_of_pixel_edges():
    turn = np.array([[[0.0, -1.0, 63.0], [1.0, 0.0, 0.0]]])
    motion = as_plate_motion(turn, 64).reshape(2, 3)
    np.testing.assert_allclose(motion @ [0, 0, 1], [1, 0], atol=1e-6)


def test_time_ranges_name_the_gaps():
    valid = np.ones(100, bool)
    valid[[10, 11, 50]] = False
    assert time_ranges(valid, 25) == "0.40-0.48 s, 2.00-2.04 s"
    assert time_ranges(~np.arange(100).astype(bool), 25, most=1).endswith("s")
    assert time_ranges(np.array([True, False]), 25.0, 10.0) == "10.04-10.08 s"
