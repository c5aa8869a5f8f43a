"""The index groups are what their names say, on the shipped average face."""

from importlib import resources

import numpy as np
import pytest

from nerf_talker.geometry import mesh


@pytest.fixture(scope="module")
def face():
    """(468, 3) vertices, y up."""
    with resources.files("nerf_talker.data").joinpath("sample_face.npz").open("rb") as stream:
        return np.load(stream)["vertices"].astype(np.float64)


def test_forty_lip_points_lie_about_the_mouth(face):
    assert len(set(mesh.LIPS)) == len(mesh.LIPS) == 40
    outer, inner = face[list(mesh.LIPS[:20]), :2], face[list(mesh.LIPS[20:]), :2]
    assert (outer.min(0) < inner.min(0)).all() and (outer.max(0) > inner.max(0)).all()
    assert outer[:, 1].max() < face[mesh.NOSE_BASE, 1]
    assert outer[:, 1].min() > face[mesh.CHIN, 1]
    assert set(mesh.INNER_LIPS) <= set(mesh.LIPS[20:])


def test_the_lip_gap_is_that_of_its_definition(face):
    points = np.tile(np.pad(face, ((0, 10), (0, 0))), (2, 3, 1, 1))
    points[1, :, 14, 1] -= 1.0
    gap = mesh.lip_gap(points)
    assert gap.shape == (2, 3)
    eyes = np.linalg.norm(face[33, :2] - face[263, :2])
    np.testing.assert_allclose(gap[0], np.linalg.norm(face[13, :2] - face[14, :2]) / eyes)
    np.testing.assert_allclose(gap[1] - gap[0], 1 / eyes, rtol=1e-6)


def test_the_lip_gap_knows_neither_scale_place_roll_nor_depth(face):
    points = np.pad(face, ((0, 10), (0, 0)))
    points[14, 1] -= 1.0
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    moved = 3.0 * points[:, :2] @ turn.T + [50.0, -7.0]
    assert mesh.lip_gap(moved) == pytest.approx(float(mesh.lip_gap(points)))
