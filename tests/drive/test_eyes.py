"""Eyes blink as people's do, between this person's own lids."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.cli.render_motion import MotionArguments
from nerf_talker.drive.motion.eyes import (
    LIDS,
    BlinkingSource,
    Blinks,
    eye_range,
    most_shown,
    open_eyes,
    without_blinks,
)
from nerf_talker.drive.speech import speech_source
from nerf_talker.field.expression import ExpressionScale
from nerf_talker.train.avatar import load_avatar

from .moving import FPS, Silent, clip, same, whole
from .test_drive import write_tone

MINUTE = 1500


@pytest.fixture(scope="module")
def reference():
    return clip()


@pytest.fixture(scope="module")
def scale(reference):
    made = ExpressionScale()
    made.mean.copy_(reference.expression.mean(0))
    made.scale.copy_(reference.expression.std(0))
    return made


@pytest.fixture(scope="module")
def eyes(reference, scale):
    return eye_range(reference.expression, FPS, most_shown(scale))


def blinking(reference, eyes, seed, frames=MINUTE):
    source = Silent(without_blinks(reference, eyes), frames)
    return BlinkingSource(source, eyes, Blinks(FPS, eyes.per_minute, seed))


def openness(driving, eyes, scale):
    """What the head shows of the lids: scores beyond its limit look like those at it."""
    shown = torch.minimum(driving.expression, torch.from_numpy(most_shown(scale)).float())
    return 1 - eyes.closing(shown.double().numpy())


def shut_runs(values, edge):
    flags = np.concatenate([[False], values < edge, [False]]).astype(int)
    return list(
        zip(np.flatnonzero(np.diff(flags) == 1), np.flatnonzero(np.diff(flags) == -1), strict=True)
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_minute_blinks_as_often_as_people_and_fully(reference, eyes, scale, seed):
    seen = openness(whole(blinking(reference, eyes, seed)), eyes, scale)
    runs = shut_runs(seen, 0.85)
    assert 8 <= len(runs) <= 30
    for first, last in runs:
        if first == 0 or last == len(seen):
            continue
        assert seen[first:last].min() < 0.3
        assert seen[last] > 0.85
        assert 0.1 <= (last - first) / FPS <= 0.4
    assert max(last - first for first, last in shut_runs(seen, 0.3)) <= 0.6 * FPS


def test_intervals_are_spread_like_a_log_normal(eyes):
    blinks = Blinks(FPS, 15.0, 0)
    blinks.closing(99_999, 100_000)
    gaps = np.diff([blink.begin for blink in blinks.blinks])
    assert gaps.mean() == pytest.approx(4.0, rel=0.06)
    assert np.log(gaps).std() == pytest.approx(0.45, abs=0.05)
    assert gaps.min() >= 0.9


@pytest.mark.parametrize(("own", "mean"), [(0.0, 4.0), (2.0, 5.0), (15.0, 4.0), (60.0, 3.0)])
def test_the_rate_is_the_clips_within_the_human_range(own, mean):
    assert Blinks(FPS, own, 0).mean == pytest.approx(mean)


def test_closing_is_quicker_than_opening():
    blinks = Blinks(1000.0, 15.0, 0)
    blinks.closing(0, 6000)
    blink = next(b for b in blinks.blinks if b.begin > 0)
    start = round(blink.begin * 1000)
    curve = blinks.closing(start, start + 400)
    half = np.flatnonzero(curve > curve.max() / 2)
    deepest = np.flatnonzero(curve > 0.98 * curve.max())
    assert deepest[0] - half[0] < half[-1] - deepest[-1]


def test_the_clips_own_blinks_are_taken_out(reference, eyes, scale):
    assert eyes.per_minute == pytest.approx(15, abs=1)
    quiet = without_blinks(reference, eyes)
    assert openness(quiet, eyes, scale).min() > 0.85
    away = torch.ones(len(reference), dtype=torch.bool)
    for begin in range(30, len(reference) - 10, 100):
        away[begin - 3 : begin + 10] = False
    gaze = slice(7, None)
    assert torch.equal(quiet.expression[away, gaze], reference.expression[away, gaze])


def test_gaze_and_brows_go_along_as_in_the_clips_blinks(eyes):
    assert eyes.shut[8] < eyes.opened[8] - 0.15
    assert np.abs(eyes.shut[:5] - eyes.opened[:5]).max() < 0.1


@pytest.mark.parametrize("lids", [0.0, 0.4])
def test_a_clip_without_a_blink_blinks_as_far_as_the_head_can_show(reference, lids):
    still = replace(reference, expression=torch.full_like(reference.expression, lids))
    made = ExpressionScale()
    made.mean.fill_(lids)
    made.scale.fill_(0.02)
    eyes = eye_range(still.expression, FPS, most_shown(made))
    assert eyes.per_minute == 0
    seen = openness(whole(blinking(still, eyes, 0)), eyes, made)
    assert seen.min() < 0.3 and np.median(seen) > 0.95


def test_seeds_chunks_and_fixed_eyes(reference, eyes):
    first = whole(blinking(reference, eyes, 1, 300), 50)
    assert same(first, whole(blinking(reference, eyes, 1, 300), 7))
    assert not same(first, whole(blinking(reference, eyes, 2, 300), 50))
    still = open_eyes(reference, eyes).expression
    assert bool((still == still[0]).all())
    assert np.allclose(still[0, list(LIDS)], eyes.opened[list(LIDS)], atol=1e-6)


def test_eyes_blink_unless_something_brings_its_own(ellipse_run, tmp_path):
    avatar = replace(load_avatar(ellipse_run), poses=clip(300))
    sound, written = write_tone(tmp_path / "a.wav", 4.0), {}
    given = {
        "usual": {},
        "idle": {"eyes": "idle"},
        "source": {"eyes": "source"},
        "file": {"driving": tmp_path / "source.npz", "seed": 3},
    }
    for name, options in given.items():
        motion = MotionArguments(**options, dump_driving=tmp_path / f"{name}.npz")
        motion.source(avatar, lambda: speech_source(avatar, sound), sound, True)
        written[name] = np.load(tmp_path / f"{name}.npz")["expression"]
    np.testing.assert_array_equal(written["usual"], written["idle"])
    assert not np.array_equal(written["usual"], written["source"])
    np.testing.assert_array_equal(written["file"], written["source"])
