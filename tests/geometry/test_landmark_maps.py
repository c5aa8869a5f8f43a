"""The 68 points of the field, out of the mesh's 478."""

import numpy as np
import pytest

from nerf_talker.data.synthetic import render_sample
from nerf_talker.geometry import mesh
from nerf_talker.geometry.landmarks68 import MESH_POINTS, landmarks68

# iBUG's own left-right partners.
PARTNERS = (
    [(k, 16 - k) for k in range(8)]
    + [(17 + k, 26 - k) for k in range(5)]
    + [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    + [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
)


@pytest.fixture(scope="module")
def sample():
    return render_sample(2.0, 64, 0, frames=list(range(0, 50, 3)))


@pytest.fixture(scope="module")
def marks(sample):
    return np.stack([picture.landmarks for picture in sample.pictures])


def test_there_are_68_and_none_twice():
    assert len(MESH_POINTS) == len(set(MESH_POINTS)) == 68
    assert landmarks68(np.zeros((5, 478, 3))).shape == (5, 68, 2)


def test_partners_are_mirror_images(marks):
    points = landmarks68(marks).mean(0)
    axis = points[[8, 27, 30, 33, 51, 57, 62, 66], 0].mean()
    width = points[16, 0] - points[0, 0]
    for left, right in PARTNERS:
        assert abs((points[left, 0] + points[right, 0]) / 2 - axis) < 0.06 * width, (left, right)
        assert abs(points[left, 1] - points[right, 1]) < 0.06 * width, (left, right)
        assert points[left, 0] < points[right, 0]


def test_the_order_is_that_of_ibug(marks):
    points = landmarks68(marks).mean(0)
    x, y = points.T
    assert (np.diff(x[0:17]) > -1).all() and y[:17].argmax() == 8
    for first, last in ((17, 22), (22, 27), (31, 36), (48, 55), (60, 65)):
        assert (np.diff(x[first:last]) > 0).all()
    assert (np.diff(y[27:31]) > 0).all()
    assert y[17:27].max() < y[36:48].min() and y[36:48].max() < y[31:36].min()
    assert y[31:36].max() < y[48:68].min() and y[48:68].max() < y[8]
    for upper, lower in (([37, 38], [41, 40]), ([43, 44], [47, 46]), ([61, 62, 63], [67, 66, 65])):
        assert (y[upper] <= y[lower]).all()
        np.testing.assert_allclose(x[upper], x[lower], atol=0.03 * (x[16] - x[0]))


def test_named_points_are_where_they_belong():
    assert [MESH_POINTS[k] for k in (8, 36, 45, 62, 66)] == [
        mesh.CHIN, *mesh.EYE_CORNERS, *mesh.INNER_LIPS
    ]  # fmt: skip
