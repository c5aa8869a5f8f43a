"""Who is who when several faces are in the picture."""

import numpy as np
import pytest
from pydantic import ValidationError

from nerf_talker.errors import InputError
from nerf_talker.preprocess.faces import FaceTracks, SeenFace, choose, look_of, overlap
from nerf_talker.preprocess.options import PreprocessOptions

LOOKS = [np.full(768, value, np.float32) for value in (0.3, 0.55, 0.8)]


def face(x, who, size=40.0, y=100.0):
    return SeenFace((x - size / 2, y - size / 2, x + size / 2, y + size / 2), LOOKS[who])


def sorted_by_person(frames):
    tracks = FaceTracks()
    for index, faces in enumerate(frames):
        tracks.add(index, faces)
    return tracks.people()


def crossing(frames=100):
    """Two people who pass each other; the one behind is hidden for some frames."""
    for k in range(frames):
        a, b = face(50 + 3 * k, 0), face(350 - 3 * k, 1)
        hidden = abs(a.box[0] - b.box[0]) < 25
        yield [a] if hidden else [b, a][:: 1 if k % 2 else -1]


def test_two_people_who_cross_are_not_swapped():
    people = sorted_by_person(crossing())
    assert len(people) == 2
    for person, start in zip(sorted(people, key=lambda p: p.boxes[0][0]), (50, 350), strict=True):
        assert (person.boxes[0][0] + 20, person.frames[0]) == (start, 0)
        assert person.boxes[-1][0] + 20 == 400 - start + (-3 if start == 50 else 3)


def test_a_person_who_comes_back_elsewhere_is_the_same():
    frames = [[face(50, 0)]] * 40 + [[]] * 60 + [[face(300, 0)]] * 40
    people = sorted_by_person(frames)
    assert len(people) == 1 and len(people[0].frames) == 80
    frames[100:] = [[face(300, 2)]] * 40
    assert len(sorted_by_person(frames)) == 2


def test_somebody_else_in_the_same_place_is_not_the_same():
    people = sorted_by_person([[face(50, 0)]] * 30 + [[face(52, 2)]] * 30)
    assert len(people) == 2


def test_passers_by_are_left_out():
    frames = [[face(100, 0), face(300, 1)] if 20 <= k < 25 else [face(100, 0)] for k in range(99)]
    assert len(sorted_by_person(frames)) == 1


def test_wishes():
    frames = [[face(60, 0, 30), face(200, 1, 60), face(340, 2, 30)]] * 30
    people = sorted_by_person(frames)

    def middle(wish):
        box = choose(people, wish).boxes[0]
        return (box[0] + box[2]) / 2

    assert [middle(w) for w in ("largest", "left", "right", "345,95")] == [200, 60, 340, 340]
    with pytest.raises(InputError, match=r"no face there; the nearest is at 340,100"):
        choose(people, "340,300")


@pytest.mark.parametrize("wish", ["big", "3", "1,2,3", "-1,5", ""])
def test_unknown_wishes_are_refused(wish):
    with pytest.raises(ValidationError, match="is none of largest, left, right and x,y"):
        PreprocessOptions(face=wish)
    assert PreprocessOptions(face="12.5,7").face == "12.5,7"


def test_overlap_is_that_of_areas():
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0


def test_a_look_does_not_depend_on_place_size_and_turn():
    import cv2

    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (200, 200, 3), np.uint8), (0, 0), 12)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    marks = rng.uniform(60, 140, (478, 2))
    marks[[33, 263, 61, 291]] = [[75, 85], [125, 85], [85, 125], [115, 125]]
    turn = cv2.getRotationMatrix2D((100, 100), 20, 1.3)
    turned = cv2.warpAffine(picture, turn, (200, 200), borderMode=cv2.BORDER_REFLECT)
    places = marks @ turn[:, :2].T + turn[:, 2]
    first, second = look_of(picture, marks), look_of(turned, places)
    assert np.abs(first - second).mean() < 0.03
    assert np.abs(first - look_of(255 - picture, marks)).mean() > 0.07
