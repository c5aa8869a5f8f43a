"""Rotation vectors, matrices and rigid transforms."""

import numpy as np
import pytest

from nerf_talker.geometry.rotation import exponential, inverse_rigid, logarithm, rigid, skew


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-3, 1.0, 3.0])
def test_logarithm_undoes_exponential(size):
    axis = np.array([0.6, -0.64, 0.48])
    np.testing.assert_allclose(logarithm(exponential(size * axis)), size * axis, atol=1e-7)


def test_exponential_is_a_rotation():
    turns = exponential(np.random.default_rng(0).normal(size=(20, 3)))
    np.testing.assert_allclose(turns @ np.swapaxes(turns, 1, 2), np.tile(np.eye(3), (20, 1, 1)),
                               atol=1e-12)  # fmt: skip
    np.testing.assert_allclose(np.linalg.det(turns), 1)


def test_skew_is_the_cross_product():
    a, b = np.random.default_rng(1).normal(size=(2, 7, 3))
    np.testing.assert_allclose((skew(a) @ b[..., None])[..., 0], np.cross(a, b))


def test_inverse_rigid_undoes_the_transform():
    rng = np.random.default_rng(2)
    pose = rigid(exponential(rng.normal(size=(5, 3))), rng.normal(size=(5, 3)))
    np.testing.assert_allclose(
        inverse_rigid(pose) @ pose, np.tile(np.eye(4), (5, 1, 1)), atol=1e-12
    )
