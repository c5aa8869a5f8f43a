import pytest
import torch

from nerf_talker.render.crosstalk import STEP, cross_talk
from tests.render.toy_head import toy_driving, toy_talker


@torch.no_grad()
def test_the_driving_of_the_toy_is_what_it_says():
    made = toy_talker()
    assert made.mouth_code(toy_driving(made, [-1.0, 2.0]))[:, 0].tolist() == pytest.approx(
        [-1, 2], abs=1e-4
    )


def test_a_head_that_keeps_its_halves_apart_has_no_cross_talk():
    made = toy_talker()
    found = cross_talk(made, toy_driving(made, [0.0, 1.0, -1.0]))
    assert found.mouth_in_lower > 0.98 and found.blink_in_upper > 0.98
    # Half of a disc of some hundred pixels changes by a tenth of the step.
    assert 0.01 < found.mouth_change < 0.1 * STEP and 0.01 < found.blink_change < 0.1 * STEP


def test_a_leak_shows_as_the_share_that_leaks():
    made = toy_talker(leak=0.5)
    found = cross_talk(made, toy_driving(made, [0.0]))
    assert found.mouth_in_lower == pytest.approx(1 / 1.5, abs=0.02)
    assert found.blink_in_upper == pytest.approx(1 / 1.5, abs=0.02)


def test_a_step_stays_within_the_trained_range(monkeypatch):
    made = toy_talker()
    seen = []
    forward = made.head.forward

    def watched(points, directions, condition, ray, frame):
        seen.append(condition.mouth[:, 0])
        return forward(points, directions, condition, ray, frame)

    monkeypatch.setattr(made.head, "forward", watched)
    cross_talk(made, toy_driving(made, [-3.4, 3.4]))
    values = torch.stack(seen).flatten()
    assert float(values.abs().max()) <= made.mouth.limit
    assert {round(float(v), 1) for v in values} == {-3.4, 3.4, -1.9, 1.9}


def test_a_dead_mouth_has_no_share():
    made = toy_talker()
    made.head.forward = lambda points, directions, condition, ray, frame: type(made.head).forward(
        made.head, points, directions, _still(condition), ray, frame
    )
    found = cross_talk(made, toy_driving(made, [0.0]))
    assert found.mouth_change == 0 and found.mouth_in_lower == 0


def _still(condition):
    from dataclasses import replace

    return replace(condition, mouth=torch.zeros_like(condition.mouth))
