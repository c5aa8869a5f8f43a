"""Jitter goes, the lips keep their time, gaps are told apart, nothing is smoothed across a cut."""

import numpy as np
import pytest

from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import project
from nerf_talker.geometry.mesh import lip_gap
from nerf_talker.preprocess.steady import (
    filled,
    jumps,
    nose_jitter,
    short_gaps,
    smoothed,
    steady,
    stretches,
)
from tests.geometry.heads import CAMERA, head_motion, head_shape

FRAMES = 120


@pytest.fixture(scope="module")
def talking():
    """(F, 478, 3) landmarks of a moving head whose lower lip opens and closes quickly."""
    points = project(CAMERA, head_motion(FRAMES).in_camera(head_shape()))
    points = np.concatenate([points, np.zeros((*points.shape[:2], 1))], -1)
    opening = 12 * np.abs(np.sin(np.arange(FRAMES) * 1.1)) + 4
    points[:, mesh.INNER_LIPS[1], :2] = points[:, mesh.INNER_LIPS[0], :2]
    points[:, mesh.INNER_LIPS[1], 1] += opening
    return points.astype(np.float32)


@pytest.fixture(scope="module")
def shaken(talking):
    """The same with noise of the whole face and of every point."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.6, (FRAMES, 1, 2)) + rng.normal(0, 0.4, (FRAMES, mesh.POINTS, 2))
    noise[:, list(mesh.LIPS)] = noise[:, list(mesh.LIPS[:1])]
    shaken = talking.copy()
    shaken[..., :2] += noise
    return shaken


def steadied(points, splices=()):
    calm = np.array(points, np.float32)
    steady(calm, splices)
    return calm


def jitter(points, index):
    return np.sqrt((np.diff(points[:, index, :2], 2, axis=0) ** 2).sum(-1).mean())


def test_jitter_is_cut_and_the_truth_comes_nearer(talking, shaken):
    calm = steadied(shaken)
    rigid = list(mesh.RIGID)
    nose = mesh.NOSE_BRIDGE
    assert jitter(calm - talking, nose) < 0.35 * jitter(shaken - talking, nose)
    before, after = (np.abs(x - talking)[:, rigid, :2].mean() for x in (shaken, calm))
    assert after < 0.7 * before


def test_the_lips_keep_their_time_and_their_opening(shaken):
    before, after = lip_gap(shaken), lip_gap(steadied(shaken))
    assert np.corrcoef(before, after)[0, 1] > 0.999
    late = np.corrcoef(before[:-1], after[1:])[0, 1]
    early = np.corrcoef(before[1:], after[:-1])[0, 1]
    assert late == pytest.approx(early, abs=0.01)
    assert after.std() == pytest.approx(before.std(), rel=0.02)


def test_time_reversed_gives_the_reverse(shaken):
    np.testing.assert_allclose(steadied(shaken[::-1])[::-1], steadied(shaken), atol=0.02)


def test_blocks_do_not_show(shaken, monkeypatch):
    whole = steadied(shaken)
    monkeypatch.setattr("nerf_talker.preprocess.steady._BLOCK", 37)
    np.testing.assert_allclose(steadied(shaken), whole, atol=1e-3)


def test_nothing_is_smoothed_across_a_splice(shaken):
    cut = shaken.copy()
    cut[60:, :, 0] += 40
    calm = steadied(cut, jumps(cut, np.ones(FRAMES, bool)))
    apart = np.concatenate([steadied(cut[:60]), steadied(cut[60:])])
    np.testing.assert_allclose(calm, apart, atol=0.1)
    values = np.repeat([0.0, 1.0], 20)[:, None]
    np.testing.assert_array_equal(smoothed(values, [20]), values)


def test_jumps_are_found_and_motion_is_not(talking, shaken):
    seen = np.ones(FRAMES, bool)
    assert jumps(talking, seen) == [] and jumps(shaken, seen) == []
    cut = talking.copy()
    cut[50:, :, 1] += 20
    assert jumps(cut, seen) == [50]
    seen[49] = False
    assert jumps(cut, seen) == []


def test_the_measure_of_jitter_leaves_splices_out(talking):
    bent = np.zeros_like(talking)
    bent[::2, mesh.NOSE_BRIDGE, 0] = 1
    assert nose_jitter(bent) == pytest.approx(2)
    cut = np.zeros_like(talking)
    cut[50:] = 30
    assert nose_jitter(cut, [50]) == 0 < nose_jitter(cut)
    assert nose_jitter(cut[:2]) == 0


def test_short_clips_are_left_alone(shaken):
    np.testing.assert_array_equal(steadied(shaken[:5]), shaken[:5])
    assert list(stretches(10, [4, 10, 0, 4])) == [(0, 4), (4, 10)]


def test_gaps_are_bridged_when_short(shaken):
    valid = np.ones(40, bool)
    valid[[5, 6, 7]] = False
    valid[20:35] = False
    valid[39] = False
    assert list(np.flatnonzero(short_gaps(valid, 10))) == [5, 6, 7]
    values = np.arange(40.0)[:, None]
    broken = np.where(valid[:, None], values, np.nan)
    broken = filled(np.nan_to_num(broken), valid)
    np.testing.assert_allclose(broken[:39], values[:39])
    assert broken[39] == 38


def test_nothing_is_interpolated_across_a_splice():
    valid = np.zeros(30, bool)
    valid[[0, 1, 2, 3, 4, 12, 13, 25, 26]] = True
    values = np.where(valid, np.arange(30.0), 0)[:, None]
    whole = filled(values, valid, [8, 14, 20])[:, 0]
    np.testing.assert_array_equal(whole[4:8], 4)
    np.testing.assert_array_equal(whole[8:13], 12)
    np.testing.assert_array_equal(whole[14:20], 13)
    np.testing.assert_array_equal(whole[20:26], 25)
    np.testing.assert_allclose(filled(values, valid)[5:12, 0], np.arange(5, 12))
    assert not short_gaps(valid, 20, [8, 14, 20]).any()
    assert short_gaps(valid, 20).sum() == 7 + 11


def test_filling_leaves_whole_recordings_alone():
    values = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    np.testing.assert_array_equal(filled(values, np.ones(9, bool), [4]), values)
