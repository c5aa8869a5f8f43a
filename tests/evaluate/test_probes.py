import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nerf_talker.evaluate import EvaluateOptions, evaluate_frames
from nerf_talker.evaluate.crosstalk import change_shares, cross_talk
from nerf_talker.evaluate.frame_cost import flops_per_sample, frame_cost, peak_gflops
from nerf_talker.evaluate.probes import probe_talker
from nerf_talker.field.networks import SAMPLE_BLOCK
from nerf_talker.geometry.mesh import INNER_LIPS, NOSE_BASE
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.driving import dataset_driving
from tests.evaluate.toy_face import FakeReader, portraits
from tests.field.compositions import COMPOSITIONS, samples, small_field

FRAMES = range(20, 60)


@pytest.fixture
def talker(ellipse_run):
    """The smoke run's, shaken so that mouth and expression show."""
    talker = load_avatar(ellipse_run).talker
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in talker.head.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=generator)
    return talker


@pytest.fixture
def speaking(ellipse):
    """The tiny dataset with inner lips that part where its mouth is open."""
    landmarks = ellipse.track.landmarks.copy()
    landmarks[:, INNER_LIPS[0]] = landmarks[:, INNER_LIPS[1]]
    landmarks[:, INNER_LIPS[0], 1] -= np.abs(np.sin(np.arange(len(landmarks)) * 0.4))
    return replace(ellipse, track=replace(ellipse.track, landmarks=landmarks))


def marks():
    """A face from row 20 to 80 and column 30 to 70, the base of the nose at row 50."""
    points = np.full((478, 3), 50, np.float32)
    points[0, :2], points[1, :2] = (30, 20), (70, 80)
    points[NOSE_BASE, :2] = (50, 50)
    return points


@pytest.mark.parametrize(
    "rows, columns, part",
    [
        ((55, 75), (40, 60), 0),
        ((25, 45), (40, 60), 1),
        ((25, 75), (0, 20), 2),
        ((90, 99), (0, 99), 2),
    ],
)
def test_a_planted_change_counts_where_it_lies(rows, columns, part):
    change = np.zeros((100, 100, 3), np.float32)
    change[slice(*rows), slice(*columns)] = 0.5
    shares = change_shares(change, marks())
    assert shares.sum() == pytest.approx(change.mean(), rel=1e-5)
    assert shares[part] == pytest.approx(change.mean(), rel=1e-5)


def test_every_share_of_a_change_everywhere_is_its_area():
    shares = change_shares(np.ones((100, 100, 3), np.float32), marks())
    assert shares.sum() == pytest.approx(1)
    assert shares[1] < shares[0] < shares[2], "the lower face has room for the chin"


@pytest.mark.parametrize("drive", ["audio", "landmarks"])
def test_a_talker_s_steps_are_shared_out(talker, speaking, drive):
    found = cross_talk(PortraitRenderer(talker), speaking, FRAMES, drive)
    for step in (found.mouth, found.expression):
        assert step.change > 0
        assert step.lower_face + step.upper_face + step.elsewhere == pytest.approx(1, abs=1e-5)


def test_what_is_not_connected_changes_nothing(talker, speaking):
    talker.expression.scale.fill_(torch.inf)
    found = cross_talk(PortraitRenderer(talker), speaking, FRAMES, "landmarks")
    assert found.expression.change == 0 and found.expression.upper_face is None
    assert found.mouth.change > 0


def test_without_faces_there_are_no_steps(talker, ellipse):
    assert cross_talk(PortraitRenderer(talker), ellipse, range(20, 21), "audio") is None


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_arithmetic_is_what_torch_counts_for_one_sample_more(name):
    field, counted = small_field(name, torch.float32), []
    for count in (SAMPLE_BLOCK, 2 * SAMPLE_BLOCK):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            field._layer_by_layer(*samples(count, torch.float32))
        counted.append(counter.get_total_flops())
    assert flops_per_sample(field) == (counted[1] - counted[0]) / SAMPLE_BLOCK > 0


def test_the_machine_has_a_peak():
    assert peak_gflops(torch.device("cpu"), None) > 0


def test_a_frame_s_cost_names_every_stage(talker, ellipse):
    cost = frame_cost(PortraitRenderer(talker), dataset_driving(ellipse, [20, 21], "audio"))
    assert cost.samples > 0
    assert cost.gflop == pytest.approx(cost.samples * flops_per_sample(talker.head) / 1e9)
    expected = cost.gflop / cost.networks_ms * 1e3 / cost.peak_gflops
    assert cost.share_of_peak == pytest.approx(expected)
    assert all(value > 0 for name, value in cost if name.endswith("_ms") and value is not None)


def test_the_report_carries_both_and_says_why_where_not(
    toy, talker, ellipse, tmp_path, monkeypatch
):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setattr("nerf_talker.evaluate.evaluation.open_reader", lambda *_: FakeReader(toy))
    frames = toy.manifest.range("test")
    options = EvaluateOptions()
    probes = probe_talker(talker, ellipse, FRAMES, "audio")
    given = (toy, portraits(toy, frames), tmp_path, options, {}, None, lambda: probes)
    report = evaluate_frames(*given)
    assert (report.crosstalk, report.speed.frame) == (probes.crosstalk, probes.cost)
    assert json.loads((tmp_path / "report.json").read_text())["speed"]["frame"]["samples"] > 0
    page = (tmp_path / "report.html").read_text()
    assert "Cross-talk" in page and "GFLOP" in page
    report = evaluate_frames(toy, portraits(toy, frames), tmp_path, options, {})
    assert report.crosstalk is None and "finished frames" in report.not_measured["crosstalk"]
    assert "Cross-talk" not in (tmp_path / "report.html").read_text()
