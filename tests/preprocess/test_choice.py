"""Whose face it is, frame by frame, with made-up readings."""

import numpy as np
import pytest

from nerf_talker.preprocess.models import BLENDSHAPES, FaceReading
from nerf_talker.preprocess.subject import Choice

FPS = 25


def at(left, side=10.0):
    """A face whose box begins at ``left``."""
    points = np.zeros((478, 3), np.float32)
    points[::2, :2] = (left, 0)
    points[1::2, :2] = (left + side, side)
    return FaceReading(points, np.zeros(BLENDSHAPES, np.float32))


def chosen(frames, splices=(), expected=None):
    """Frame -> left edge of the face that was taken, of lists of left edges."""
    choice, found = Choice(FPS, splices), {}
    for index, lefts in enumerate(frames):
        for row, face in choice.pick(index, [at(left) for left in lefts], expected):
            found[row] = float(face.landmarks[0, 0])
    return found


def test_the_only_face_is_followed_where_it_jumps_to():
    found = chosen([[0]] * 5 + [[40]] * 5)
    assert found == {**dict.fromkeys(range(5), 0), **dict.fromkeys(range(5, 10), 40)}


def test_a_face_that_flashes_up_elsewhere_is_not_taken():
    assert chosen([[0], [0], [40], [0], [0]]) == {0: 0, 1: 0, 3: 0, 4: 0}
    assert chosen([[0], [40], [], [40], [0]]) == {0: 0, 4: 0}
    assert chosen([[0], [40], [80], [40]]) == {0: 0}


def test_of_two_the_one_that_was_there_is_kept():
    assert set(chosen([[0, 40]] * 2 + [[40, 5]] * 3).values()) == {0, 5}
    assert chosen([[0]] + [[40, 80]] * 3) == {0: 0}


@pytest.mark.parametrize("gap", [0, 2])
def test_after_a_splice_the_search_begins_anew(gap):
    found = chosen([[0]] * 3 + [[]] * gap + [[40, 80]] * 2, splices=[3])
    assert found == {0: 0, 1: 0, 2: 0, 3 + gap: 40, 4 + gap: 40}


def test_somebody_who_is_expected_elsewhere_is_not_guessed():
    assert chosen([[40]] * 3, expected=np.array([0.0, 0, 10, 10])) == {}
    assert chosen([[40]] * 3, expected=np.full(4, np.nan)) == {}
    assert chosen([[40, 1]], expected=np.array([0.0, 0, 10, 10])) == {0: 1}
