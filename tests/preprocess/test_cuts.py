"""Cuts between scenes, splices within one, and what is neither."""

import numpy as np
import pytest

from nerf_talker.preprocess.cuts import THUMBNAIL, CutFinder

FRAMES = 120


def scene(seed, frames=FRAMES, jitter=1.0):
    """Thumbnails of a scene with a bright head that sways before a still background."""
    rng = np.random.default_rng(seed)
    back = rng.uniform(20, 230, (THUMBNAIL, THUMBNAIL, 3))
    y, x = np.mgrid[0:THUMBNAIL, 0:THUMBNAIL]
    shots = []
    for k in range(frames):
        away = (x - 8 - 0.4 * np.sin(k / 8)) ** 2 + (y - 8) ** 2
        head = np.clip(20 - away, 0, 1)[..., None]
        shots.append(back * (1 - head) + 180 * head + rng.normal(0, jitter, back.shape))
    return shots


def found(shots):
    finder = CutFinder(25)
    for shot in shots:
        finder.look(np.clip(shot, 0, 255).astype(np.uint8))
    return [(cut.frame, cut.is_splice) for cut in finder.cuts()]


def test_one_scene_has_no_cut():
    assert found(scene(0)) == []
    assert found([]) == []


@pytest.mark.parametrize("place", [3, 40, 60, 116])
def test_a_cut_is_found_wherever_it_is(place):
    assert found(scene(0)[:place] + scene(1)[place:]) == [(place, False)]


def test_many_cuts_are_found():
    shots = scene(0, 60) + scene(1, 60) + scene(2, 60)
    assert found(shots) == [(60, False), (120, False)]


def test_a_short_look_at_something_else_is_two_cuts():
    shots = scene(0, 40) + scene(1, 30) + scene(0, 40)
    assert found(shots) == [(40, False), (70, False)]


@pytest.mark.parametrize("length", [1, 5, 30, 90])
def test_blank_frames_are_no_cut(length):
    shots = scene(0)
    blank = [np.zeros_like(shots[0])] * length
    assert found(shots[:60] + blank + shots[60:]) == []


def test_a_flash_is_no_cut():
    shots = scene(0)
    shots[50] = shots[50] + 120
    assert found(shots) == []


def test_time_cut_out_of_one_recording_is_a_splice():
    shots = scene(0)
    moved = [np.where(np.arange(THUMBNAIL)[None, :, None] < 5, s + 60, s) for s in shots[60:]]
    assert found(shots[:60] + moved) == [(60, True)]


def test_a_panning_camera_is_no_cut():
    rng = np.random.default_rng(3)
    wide = rng.uniform(20, 230, (THUMBNAIL, 400, 3))
    smooth = (
        np.stack(
            [
                np.convolve(r, np.ones(5) / 5, "same")
                for r in wide.transpose(0, 2, 1).reshape(-1, 400)
            ]
        )
        .reshape(THUMBNAIL, 3, 400)
        .transpose(0, 2, 1)
    )
    assert found([smooth[:, k : k + THUMBNAIL] for k in range(FRAMES)]) == []
