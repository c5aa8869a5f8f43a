"""Head poses of a whole clip from landmarks: PnP start, then one joint refinement.

Points X in canonical head space appear at ``u = f (R X + t)_xy / (R X + t)_z + c``. All poses are
refined together by Gauss-Newton with Huber weights and a prior on their acceleration; the normal
matrix is block-pentadiagonal and solved in O(F) (banded Cholesky). Between rounds the rigid
points are re-estimated from all frames, tied to their start values (bundle adjustment,
Triggs et al. 2000), and every point gets a weight from its own residual.

A pose step is (rotation vector, translation) of a left perturbation about the head's origin:
``R <- exp(w) R``, ``t <- t + v``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nerf_talker.errors import InputError
from nerf_talker.geometry.rotation import Array, exponential, logarithm, skew
from nerf_talker.types import Camera

HUBER_PIXELS = 1.5  # at 512 px of width
# Landmark errors of neighbouring points rise and fall together, so N points are worth about
# this many independent ones.
EFFECTIVE_POINTS = 12.0
# Standard deviation of the second difference of a pose from frame to frame: radians and metres.
ROTATION_ACCELERATION = 0.0035
TRANSLATION_ACCELERATION = 0.0007
# A rigid point may leave its start value by about this much (metres).
SHAPE_FREEDOM = 0.003


@dataclass(frozen=True)
class Poses:
    """Head-to-camera transforms: rotation (F, 3, 3) and translation (F, 3) metres."""

    rotation: Array
    translation: Array

    def __len__(self) -> int:
        return len(self.rotation)

    def moved(self, step: Array) -> Poses:
        """These poses after (F, 6) steps."""
        turned = exponential(step[:, :3]) @ self.rotation
        return Poses(turned, self.translation + step[:, 3:])

    def in_camera(self, points: Array) -> Array:
        """(N, 3) head-space points -> (F, N, 3) in the camera, metres."""
        return points @ np.swapaxes(self.rotation, 1, 2) + self.translation[:, None]


def project(camera: Camera, in_camera: Array) -> Array:
    """(..., 3) metres in the camera -> (..., 2) pixels (x, y)."""
    return camera.focal * in_camera[..., :2] / in_camera[..., 2:] + np.asarray(camera.centre)


def pnp_poses(camera: Camera, points: Array, observed: Array) -> Poses:
    """One pose per frame by perspective-n-point, each frame alone.

    Args:
        camera: Intrinsics.
        points: (N, 3) metres, head space.
        observed: (F, N, 2) pixels.

    Raises:
        InputError: A frame admits no pose with the head in front of the camera.
    """
    import cv2

    matrix = np.array(
        [[camera.focal, 0, camera.centre[0]], [0, camera.focal, camera.centre[1]], [0, 0, 1]]
    )
    spread = float(np.linalg.norm(points[:, :2].std(0)))
    rotations, translations = [], []
    points = np.ascontiguousarray(points, np.float64)
    for frame, seen in enumerate(np.ascontiguousarray(observed, np.float64)):
        distance = camera.focal * spread / max(float(np.linalg.norm(seen.std(0))), 1e-6)
        offset = (seen.mean(0) - np.asarray(camera.centre)) / camera.focal * distance
        start = np.array([[offset[0]], [offset[1]], [distance]])
        found, turn, shift = cv2.solvePnP(
            points, seen, matrix, None, np.zeros((3, 1)), start, True, cv2.SOLVEPNP_ITERATIVE
        )
        if not found or not np.isfinite(shift).all() or shift[2, 0] <= 0.05:
            raise InputError(f"frame {frame}: the landmarks admit no head pose; check the video")
        rotations.append(exponential(turn[:, 0]))
        translations.append(shift[:, 0])
    return Poses(np.stack(rotations), np.stack(translations))


def projection_jacobian(camera: Camera, poses: Poses, points: Array) -> tuple[Array, Array]:
    """Projections and their derivative by the pose step.

    Returns:
        (F, N, 2) pixels and (F, N, 2, 6).
    """
    turned = points @ np.swapaxes(poses.rotation, 1, 2)
    place = turned + poses.translation[:, None]
    by_point = point_jacobian(camera, place)
    jacobian = np.concatenate([-by_point @ skew(turned), by_point], -1)
    return project(camera, place), jacobian


def point_jacobian(camera: Camera, place: Array) -> Array:
    """(..., 2, 3) derivative of the projection by the point in the camera."""
    depth = place[..., 2]
    by_point = np.zeros((*place.shape[:-1], 2, 3))
    by_point[..., 0, 0] = by_point[..., 1, 1] = camera.focal / depth
    by_point[..., 0, 2] = -camera.focal * place[..., 0] / depth**2
    by_point[..., 1, 2] = -camera.focal * place[..., 1] / depth**2
    return by_point


def landmark_terms(
    camera: Camera, poses: Poses, points: Array, observed: Array, weights: Array
) -> tuple[Array, Array]:
    """Normal matrix (F, 6, 6) and right-hand side (F, 6) of the reprojection error.

    Args:
        camera: Intrinsics.
        poses: Linearisation point.
        points: (N, 3) metres.
        observed: (F, N, 2) pixels.
        weights: (F, N) inverse variances in 1/px^2, Huber factors applied here.
    """
    seen, jacobian = projection_jacobian(camera, poses, points)
    residual = observed - seen
    size = np.linalg.norm(residual, axis=-1)
    bound = HUBER_PIXELS * camera.width / 512
    scaled = weights * np.minimum(1.0, bound / np.maximum(size, 1e-9))
    frames = len(poses)
    tall = jacobian.reshape(frames, -1, 6)
    weighted = (jacobian * scaled[..., None, None]).reshape(frames, -1, 6)
    flipped = np.swapaxes(weighted, 1, 2)
    return flipped @ tall, (flipped @ residual.reshape(frames, -1, 1))[..., 0]


def solve_smooth(
    poses: Poses,
    normal: Array,
    right: Array,
    strength: float = 1.0,
    splices: Sequence[int] = (),
) -> Array:
    """(F, 6) steps that minimise the data terms plus the acceleration prior.

    Args:
        poses: Linearisation point.
        normal: (F, 6, 6) data normal matrices.
        right: (F, 6) data right-hand sides.
        strength: Factor on the prior.
        splices: Frames before which time was cut out: nothing is smooth across them.
    """
    from scipy.linalg import solveh_banded

    frames = len(poses)
    prior = strength / np.repeat([ROTATION_ACCELERATION, TRANSLATION_ACCELERATION], 3) ** 2
    band = np.zeros((18, frames, 6))
    for offset in range(6):
        diagonal = normal[:, np.arange(6 - offset) + offset, np.arange(6 - offset)]
        band[offset, :, : 6 - offset] = diagonal
    band[0] += 1e-6 * band[0].max() + 1e-9
    right = right.copy()
    if frames >= 3:
        bend = _accelerations(poses)
        held = np.outer(_unspliced(frames, splices), prior)
        for shift, factor in enumerate((1.0, -2.0, 1.0)):
            right[shift : frames - 2 + shift] -= factor * held * bend
        for shift, factor in enumerate((1.0, 4.0, 1.0)):
            band[0, shift : frames - 2 + shift] += factor * held
        for shift in (0, 1):
            band[6, shift : frames - 2 + shift] -= 2 * held
        band[12, : frames - 2] += held
    step = solveh_banded(band.reshape(18, -1), right.reshape(-1), lower=True)
    return np.asarray(step).reshape(frames, 6)


def _unspliced(frames: int, splices: Sequence[int]) -> Array:
    """(F - 2,) 1 where three frames in a row belong to one piece of time, else 0."""
    held = np.ones(frames - 2)
    for splice in splices:
        held[max(splice - 2, 0) : splice] = 0.0
    return held


def _accelerations(poses: Poses) -> Array:
    """(F - 2, 6) second differences of rotation (as vectors) and translation."""
    turn = logarithm(poses.rotation[1:] @ np.swapaxes(poses.rotation[:-1], 1, 2))
    move = np.diff(poses.translation, axis=0)
    return np.diff(np.concatenate([turn, move], 1), axis=0)
