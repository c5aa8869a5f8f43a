"""Shut eyes and open lips are drawn as often as the usual ones, and told apart to the end."""

import dataclasses

import numpy as np
import pytest
import torch

from nerf_talker.field.expression import LIDS, LIMIT, ExpressionScale
from nerf_talker.train.balance import LEVELS, BalancedFrames
from nerf_talker.train.sampler import PixelSampler, SamplerConfig


def blinking(count=1000, every=100, long=3):
    """(count,) lids near 0.1, shut to 0.6 in three frames of a hundred."""
    lids = 0.1 + 0.02 * np.random.default_rng(0).random(count)
    for begin in range(every // 2, count, every):
        lids[begin : begin + long] = 0.6
    return lids


def test_levels_are_drawn_alike_however_rare(generator):
    lids = blinking()
    rows = BalancedFrames(lids).draw(4000, generator)
    assert (lids > 0.5).mean() == pytest.approx(0.03)
    assert (lids[rows] > 0.5).mean() == pytest.approx(0.5, abs=0.04), "one of the two levels"
    assert len(np.unique(rows[lids[rows] > 0.5])) == 30, "each shut frame, not one for all"
    even = BalancedFrames(np.linspace(0, 1, 1000)).draw(4000, generator)
    counts = np.histogram(even, LEVELS, (0, 1000))[0]
    assert counts.min() > 0.2 * 4000


@pytest.mark.parametrize("every", [300, 1000])
def test_a_clip_with_few_blinks_shows_them_as_often(generator, every):
    lids = blinking(2000, every)
    rows = BalancedFrames(lids).draw(2000, generator)
    assert (lids > 0.5).mean() < 0.011
    assert (lids[rows] > 0.5).mean() == pytest.approx(0.5, abs=0.05)


def test_measures_are_drawn_alike(generator):
    first, second = np.zeros(100), np.zeros(100)
    first[:5] = 1
    second[95:] = 1
    rows = BalancedFrames(first, second).draw(4000, generator)
    # A quarter by the upper level of the one, and the five among all of the other's lower level.
    for found in (rows < 5, rows >= 95):
        assert found.mean() == pytest.approx(0.25 + 0.25 * 5 / 95, abs=0.03)


@pytest.mark.parametrize("values", [np.full(7, 0.3), np.asarray([0.2]), np.asarray([0.0, 1.0])])
def test_clips_without_a_blink_and_the_shortest_are_drawn_from(values, generator):
    rows = BalancedFrames(values).draw(50, generator)
    assert set(rows) == set(range(len(values)))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_a_batch_shows_shut_eyes(ellipse, generator, share):
    blendshapes = ellipse.track.blendshapes.copy()
    blendshapes[:, [9, 10]] = 0.1
    shut = np.zeros(len(blendshapes), bool)
    shut[10:13] = True
    blendshapes[shut] = 0.7
    track = dataclasses.replace(ellipse.track, blendshapes=blendshapes)
    sampler = PixelSampler(
        SamplerConfig(rays=64, frames=40, balanced=share),
        dataclasses.replace(ellipse, track=track),
    )
    seen = np.concatenate([shut[sampler.draw(generator).frames.numpy()] for _ in range(40)])
    # Half of the balanced frames are drawn by the lids, half of these from the upper level.
    natural = shut[sampler.train].mean()
    assert seen.mean() == pytest.approx(share / 4 + (1 - share / 2) * natural, abs=0.04)


def test_a_shut_eye_is_told_from_a_half_shut_one():
    scores = np.zeros((1000, 52), np.float32)
    scores[:, [9, 10]] = blinking()[:, None]
    scores[50, [9, 10]] = 0.35
    scale = ExpressionScale()
    scale.fit(scores, np.ones(1000, bool))
    shown = scale(torch.tensor([[0.0] * 5 + [lid] * 2 + [0.0] * 2 for lid in (0.1, 0.35, 0.6)]))
    for lid in LIDS:
        assert float(shown[2, lid]) == pytest.approx(LIMIT)
        assert float(shown[1, lid]) == pytest.approx(LIMIT / 2, abs=0.2)
