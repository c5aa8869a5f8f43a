"""Cross-talk of heads whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.evaluate.crosstalk import cross_talk
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.mesh import INNER_LIPS, NOSE_BASE
from nerf_talker.render.portrait import PortraitRenderer
from tests.render.toy_head import toy_driving, toy_talker

FRAMES = range(182, 200)


@pytest.fixture
def talked(ellipse):
    """The tiny dataset as a clip of the toy head, whose lips and lids move on their own clocks."""
    time = np.arange(len(ellipse.track.valid))
    opening, shut = time % 2, time // 2 % 2
    driving = toy_driving(toy_talker(), (2.0 * opening - 1).astype(np.float32).tolist())
    canonical = ellipse.track.canonical_landmarks.copy()
    canonical[:, list(MOUTH_POINTS)] = driving.landmarks.numpy()
    marks = np.full_like(ellipse.track.landmarks, 32)
    # The ball fills the face box, whose line lies where its halves meet.
    for point, place in {0: (11, 11), 1: (53, 53), 33: (22, 24), 263: (42, 24)}.items():
        marks[:, point, :2] = place
    marks[:, NOSE_BASE, 1] = 32
    marks[:, INNER_LIPS[0], 1] -= 4 * opening
    scores = np.zeros_like(ellipse.track.blendshapes)
    scores[:, 9] = scores[:, 10] = shut
    track = replace(
        ellipse.track,
        camera_to_head=driving.camera_to_head.numpy(),
        landmarks=marks,
        canonical_landmarks=canonical,
        blendshapes=scores,
    )
    return replace(ellipse, track=track)


def steps(dataset, talker):
    return cross_talk(PortraitRenderer(talker), dataset, FRAMES, "landmarks")


def test_a_head_that_keeps_its_halves_apart_has_no_cross_talk(talked):
    found = steps(talked, toy_talker())
    assert found.mouth.lower_face > 0.98 and found.expression.upper_face > 0.98
    # Half of a disc that covers a third of the picture changes, by a fifth and by a tenth.
    assert found.mouth.change == pytest.approx(255 * 0.2 / 6, rel=0.1)
    assert found.expression.change == pytest.approx(255 * 0.1 / 6, rel=0.1)


def test_a_leak_shows_as_the_share_that_leaks(talked):
    found = steps(talked, toy_talker(leak=0.5))
    assert found.mouth.lower_face == pytest.approx(1 / 1.5, abs=0.02)
    assert found.expression.upper_face == pytest.approx(1 / 1.5, abs=0.02)
    assert found.mouth.upper_face == pytest.approx(0.5 / 1.5, abs=0.02)


def test_a_dead_mouth_has_no_share(talked):
    talker = toy_talker()
    forward = talker.head.forward

    def dead(points, directions, condition, ray, frame):
        still = replace(condition, mouth=torch.zeros_like(condition.mouth))
        return forward(points, directions, still, ray, frame)

    talker.head.forward = dead
    found = steps(talked, talker)
    assert found.mouth.change == 0 and found.mouth.lower_face is None
    assert found.expression.change > 0
