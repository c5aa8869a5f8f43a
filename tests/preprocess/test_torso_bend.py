"""The torso's bend beyond a similarity, on a painted torso that is bent by a known displacement."""

import cv2
import numpy as np
import pytest

from nerf_talker.data.labels import Label
from nerf_talker.preprocess.torso_bend import (
    PlateTones,
    bend_modes,
    displacement_grid,
    follow_bend,
    learn_bend,
    plate_map,
    still_bend,
)
from nerf_talker.types import TORSO_GRID, TORSO_MODES

SIZE = 160
STILL = np.eye(2, 3)
rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float32)


def plate():
    noise = np.random.default_rng(0).uniform(0, 255, (SIZE, SIZE)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 3)
    grey = np.clip((noise - 127) * 6 + 90, 0, 255).astype(np.uint8)
    alpha = np.where(rows > 70 + np.abs(columns - 80) * 0.3, 255, 0).astype(np.uint8)
    return np.dstack([grey, grey, grey, alpha])


def shrug(amount):
    """(S, S, 2) pixels from frame to plate: the sides of the torso go up and down."""
    across = np.zeros_like(rows)
    return np.stack([across, np.float32(amount) * np.cos(columns / SIZE * 2 * np.pi)], -1)


def frame(amount, background=30):
    """Grey picture and labels of the plate bent by ``amount`` pixels."""
    moved = shrug(amount)
    bent = cv2.remap(
        plate(), columns + moved[..., 0], rows + moved[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    body = bent[..., 3] > 127
    labels = np.where(body, Label.TORSO, Label.BACKGROUND).astype(np.uint8)
    return np.where(body, bent[..., 0], background).astype(np.uint8), labels


@pytest.fixture(scope="module")
def tones():
    return PlateTones.of(plate())


@pytest.fixture(scope="module")
def modes(tones):
    laid = [tones.laid(*frame(amount), STILL) for amount in np.linspace(-3, 3, 9)]
    return bend_modes([displacement_grid(tones, *one) for one in laid])


def displaced(modes, bend):
    """(S, S, 2) pixels that coefficients stand for."""
    grid = np.einsum("k,kghc->ghc", bend, modes)
    place = [
        ((axis + 0.5) / SIZE * (TORSO_GRID - 1)).astype(np.float32) for axis in (columns, rows)
    ]
    return cv2.remap(grid, *place, cv2.INTER_LINEAR) * SIZE


def test_a_known_bend_is_recovered_where_the_torso_shows(tones, modes):
    amounts = 2.5 * np.sin(np.arange(12) * 0.4)
    shown = [frame(amount) for amount in amounts]
    bends = follow_bend(tones, modes, shown, np.stack([STILL] * 12))
    assert modes.shape == (TORSO_MODES, TORSO_GRID, TORSO_GRID, 2) and bends.shape == (12, 8)
    for amount, bend, (_, labels) in zip(amounts, bends, shown, strict=True):
        body = cv2.erode((labels == Label.TORSO).astype(np.uint8), np.ones((9, 9))) > 0
        apart = np.linalg.norm(displaced(modes, bend) - shrug(amount), axis=-1)
        assert apart[body].mean() < 0.5, amount
    assert np.corrcoef(bends[:, 0], amounts)[0, 1] ** 2 > 0.98


def test_what_lies_behind_the_torso_bends_nothing(tones, modes):
    calm = follow_bend(tones, modes, [frame(2, 30)] * 3, np.stack([STILL] * 3))
    wild = follow_bend(tones, modes, [frame(2, 220)] * 3, np.stack([STILL] * 3))
    np.testing.assert_array_equal(calm, wild)


def test_a_hidden_torso_keeps_its_bend(tones, modes):
    grey, labels = frame(2)
    hidden = (grey, np.full_like(labels, Label.FACE))
    bends = follow_bend(tones, modes, [(grey, labels)] * 4 + [hidden] * 4, np.stack([STILL] * 8))
    np.testing.assert_array_equal(bends[6], bends[7])
    assert np.abs(bends[7]).max() > 0.3


def test_a_bend_is_no_part_of_the_similarity(tones, modes):
    shift = np.array([[1.0, 0, 6], [0, 1, -4]])
    grey, labels = (
        cv2.warpAffine(layer, shift, (SIZE, SIZE), flags=0, borderMode=1) for layer in frame(2)
    )
    moved = follow_bend(tones, modes, [(grey, labels)] * 3, np.stack([shift] * 3))
    still = follow_bend(tones, modes, [frame(2)] * 3, np.stack([STILL] * 3))
    assert np.abs(moved[1] - still[1]).max() < 0.2


def test_fewer_grids_than_modes_leave_the_rest_empty(tones):
    grids = [displacement_grid(tones, *tones.laid(*frame(a), STILL)) for a in (-2, 2)]
    assert not bend_modes(grids)[2:].any()


def test_a_bent_frame_is_brought_back_to_the_plate(tones):
    amounts = np.linspace(-3, 3, 9)
    shown = [(*frame(amount), STILL) for amount in amounts]
    modes, bends = learn_bend(tones, shown)
    for (grey, labels, _), bend in zip(shown, bends, strict=True):
        places = plate_map(STILL, modes, bend, SIZE)
        back, body = (cv2.remap(layer, *places, 1, borderMode=1) for layer in (grey, labels))
        inside = cv2.erode((body == Label.TORSO).astype(np.uint8), np.ones((9, 9))) > 0
        assert np.abs(back.astype(float) - plate()[..., 0])[inside].mean() < 5


def test_without_a_bend_the_plate_is_seen_where_the_similarity_says():
    modes, bends = still_bend(1)
    matrix = np.array([[0.9, -0.1, 3], [0.1, 0.9, 5]])
    places = plate_map(matrix, modes, bends[0], 32)
    np.testing.assert_allclose(places[:, 7, 20], matrix @ [20, 7, 1], atol=1e-4)
