"""Rotation vectors and matrices, in batches of numpy arrays.

A rotation vector is axis times angle in radians; matrices act on column vectors from the left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def skew(vectors: Array) -> Array:
    """(..., 3) -> (..., 3, 3) cross-product matrices: ``skew(a) @ b == cross(a, b)``."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    zero = np.zeros_like(x)
    rows = [
        np.stack([zero, -z, y], -1),
        np.stack([z, zero, -x], -1),
        np.stack([-y, x, zero], -1),
    ]
    return np.stack(rows, -2)


def exponential(vectors: Array) -> Array:
    """(..., 3) rotation vectors -> (..., 3, 3) matrices (Rodrigues' formula)."""
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    # np.sinc is sin(pi x) / (pi x), finite at zero.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    cross = skew(vectors)
    return np.eye(3) + first * cross + second * (cross @ cross)


def logarithm(matrices: Array) -> Array:
    """(..., 3, 3) matrices -> (..., 3) rotation vectors with angles in [0, pi]."""
    from scipy.spatial.transform import Rotation

    matrices = np.asarray(matrices, np.float64)
    flat = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
    return np.asarray(flat).reshape(*matrices.shape[:-2], 3)


def rigid(rotation: Array, translation: Array) -> Array:
    """(F, 3, 3) and (F, 3) -> (F, 4, 4) homogeneous transforms."""
    pose = np.zeros((len(rotation), 4, 4))
    pose[:, :3, :3] = rotation
    pose[:, :3, 3] = translation
    pose[:, 3, 3] = 1
    return pose


def inverse_rigid(pose: Array) -> Array:
    """(F, 4, 4) rigid transforms -> their inverses, by transposing the rotation."""
    rotation = np.swapaxes(pose[:, :3, :3], -1, -2)
    return rigid(rotation, -(rotation @ pose[:, :3, 3:])[..., 0])
