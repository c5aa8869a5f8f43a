"""Refining head poses on the pictures themselves: every frame is aligned to one face texture.

Landmarks wander by a few tenths of a pixel with the expression; skin, nose and eye corners do not.
Points spread over nose, cheeks, temples and eye corners (no lids, no brows, nothing from the upper
lip down) carry a texture value, the median over the clip after removing slow shading. Each frame's
pose is found by Gauss-Newton on the difference (direct image alignment: Lucas and Kanade 1981, on a
3-D surface), weighted by each point's own variation over the clip, so wrinkles count little. All
frames are then
solved together with the landmark terms and the acceleration prior of
:mod:`nerf_talker.geometry.bundle`, and the texture and the points' depth are estimated anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import (
    Poses,
    landmark_terms,
    point_jacobian,
    project,
    solve_smooth,
)
from nerf_talker.geometry.facepoints import surface_points
from nerf_talker.geometry.rotation import Array, logarithm
from nerf_talker.types import ByteArray, Camera

# Pictures wider than this are shrunk: the precision of the alignment is no longer limited by them.
WORKING_SIZE = 320
# Band of detail that is compared, in pixels at 256 of width.
FINE_SIGMA, COARSE_SIGMA = 0.8, 8.0
# N points count as this share of N measurements. Of 0.1, 0.3 and 1 this one came closest to the
# true rotations of the drawn sample clip when a landmarker read it (pitch 0.78 -> 0.16 degrees).
INDEPENDENT_SHARE = 1.0
# How much stiffer than for landmarks alone the motion is. On real clips points that were not
# aligned fit as well with 1 as with 10; on the drawn sample 3 takes a third off the rotations'
# jitter.
STIFFNESS = 3.0
_TEXTURE_FRAMES = 160
_STEPS = 3
# Grey levels of noise below which a point's variation is not believed.
_NOISE = 1.5
# Depth of a point may change by about this much (metres), together with its surroundings.
_DEPTH_FREEDOM = 0.002
HUBER_SIGMAS = 1.5
# A frame whose alignment moves the face farther than this (image widths) went astray.
FARTHEST = 0.03

# A frame that was aligned already gains nothing, and its cost may rise by as much as this.
_NO_GAIN = 0.05

Frames = Callable[[], Iterable[ByteArray]]
Detail = tuple[Array, Array, Array]


@dataclass(frozen=True)
class FaceTexture:
    """Points on the face and what the clip shows there.

    Attributes:
        points: (N, 3) metres, canonical head space.
        values: (N,) grey levels without slow shading.
        weights: (N,) inverse variances, 1 / grey level^2.
    """

    points: Array
    values: Array
    weights: Array


def refine_on_pictures(
    camera: Camera,
    poses: Poses,
    shape: Array,
    landmarks: Array,
    weights: Array,
    frames: Frames,
    splices: Sequence[int] = (),
    rounds: int = 2,
) -> Poses:
    """Poses that agree with the pictures, the landmarks and smooth motion.

    Args:
        camera: Intrinsics of the pictures ``frames`` yields.
        poses: F start poses, right to about two pixels.
        shape: (478, 3) metres.
        landmarks: (F, R, 2) pixels of the rigid points.
        weights: (F, R) their inverse variances, 0 in frames without a face.
        frames: Called for each pass; yields F (H, W) uint8 grey pictures.
        splices: Frames before which time was cut out: nothing is smooth across them.
        rounds: Passes of alignment.
    """
    points = surface_points(shape)
    rigid = shape[list(mesh.RIGID)]
    seen = weights.max(1) > 0
    small = camera.scaled(min(camera.width, WORKING_SIZE))
    for _ in range(rounds):
        texture = _texture(small, poses, points, frames)
        aligned = _align_all(small, poses, texture, frames)
        trusted = seen & aligned.better & (_distance(small, poses, aligned.poses) < FARTHEST)
        normal = aligned.normal * trusted[:, None, None]
        target = aligned.poses
        poses = Poses(
            np.where(trusted[:, None, None], target.rotation, poses.rotation),
            np.where(trusted[:, None], target.translation, poses.translation),
        )
        for _ in range(2):
            # The photometric minimum pulls with its own stiffness wherever the joint solve goes.
            matrix, pull = landmark_terms(camera, poses, rigid, landmarks, weights)
            offset = _difference(target, poses) * trusted[:, None]
            data = pull + (normal @ offset[..., None])[..., 0]
            poses = poses.moved(solve_smooth(poses, normal + matrix, data, STIFFNESS, splices))
        points = points + aligned.depth[:, None] * [0.0, 0.0, 1.0]
    return poses


def _distance(camera: Camera, first: Poses, second: Poses) -> Array:
    """(F,) how far the head's front moves between two sets of poses, in image widths."""
    front = np.array([[0.0, 0.0, -0.08]])
    places = [project(camera, poses.in_camera(front))[:, 0] for poses in (first, second)]
    return np.linalg.norm(places[0] - places[1], axis=-1) / camera.width


def _difference(target: Poses, poses: Poses) -> Array:
    """(F, 6) steps that lead from ``poses`` to ``target``."""
    turn = logarithm(target.rotation @ np.swapaxes(poses.rotation, 1, 2))
    return np.concatenate([turn, target.translation - poses.translation], 1)


def detail(picture: ByteArray, size: int) -> Detail:
    """(S, S) float32 each: a grey picture without slow shading, its x and its y derivative."""
    import cv2

    if picture.shape[0] != size:
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)
    grey = picture.astype(np.float32)
    scale = size / 256
    quarter = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    slow = cv2.GaussianBlur(quarter, (0, 0), COARSE_SIGMA * scale / 4)
    slow = cv2.resize(slow, (size, size), interpolation=cv2.INTER_LINEAR)
    fine = cv2.GaussianBlur(grey, (0, 0), FINE_SIGMA * scale) - slow
    by_x = cv2.Scharr(fine, cv2.CV_32F, 1, 0, scale=1 / 32)
    by_y = cv2.Scharr(fine, cv2.CV_32F, 0, 1, scale=1 / 32)
    return fine, by_x, by_y


def sample(image: Detail, camera: Camera, place: Array, channels: int) -> Array:
    """(N, channels) values of an image at the projections of (N, 3) points in the camera."""
    import cv2

    pixels = camera.focal * place[:, :2] / place[:, 2:] + (np.asarray(camera.centre) - 0.5)
    x, y = pixels.astype(np.float32).T[..., None]
    sampled = [
        cv2.remap(plane, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        for plane in image[:channels]
    ]
    return np.concatenate(sampled, 1)


def _texture(camera: Camera, poses: Poses, points: Array, frames: Frames) -> FaceTexture:
    """Median and robust variance of every point over evenly spread frames."""
    rows = set(np.linspace(0, len(poses) - 1, min(len(poses), _TEXTURE_FRAMES)).astype(int))
    values = []
    for index, picture in enumerate(frames()):
        if index in rows:
            place = points @ poses.rotation[index].T + poses.translation[index]
            values.append(sample(detail(picture, camera.width), camera, place, 1)[:, 0])
    stack = np.stack(values)
    middle = np.median(stack, 0)
    spread = 1.4826 * np.median(np.abs(stack - middle), 0)
    return FaceTexture(points, middle, 1 / (spread**2 + _NOISE**2))


@dataclass(frozen=True)
class _Alignment:
    """Each frame aligned alone: stiffness (F, 6, 6), poses, no loss (F,), depth steps (N,)."""

    normal: Array
    poses: Poses
    better: Array
    depth: Array


def _align_all(camera: Camera, poses: Poses, texture: FaceTexture, frames: Frames) -> _Alignment:
    import cv2

    count = len(poses)
    normal, better = np.zeros((count, 6, 6)), np.zeros(count, bool)
    rotation, translation = poses.rotation.copy(), poses.translation.copy()
    pull, stiffness = np.zeros(len(texture.points)), np.zeros(len(texture.points))
    for index, picture in enumerate(frames()):
        image = detail(picture, camera.width)
        turn, move = rotation[index], translation[index]
        jacobian, by_depth = _jacobian(image, camera, turn, move, texture)
        first = 0.0
        for step in range(_STEPS + 1):
            place = texture.points @ turn.T + move
            residual, weight, cost = _residual(sample(image, camera, place, 1)[:, 0], texture)
            first = cost if step == 0 else first
            if step == _STEPS:
                break
            weighted = jacobian * weight[:, None]
            matrix = (weighted.T @ jacobian).astype(np.float64)
            damped = matrix + 1e-3 * np.diag(np.diag(matrix)) + 1e-6 * np.eye(6)
            change = np.linalg.solve(damped, weighted.T @ residual)
            turn, move = cv2.Rodrigues(change[:3])[0] @ turn, move + change[3:]
        rotation[index], translation[index] = turn, move
        normal[index] = matrix * INDEPENDENT_SHARE
        better[index] = cost < first * (1 + _NO_GAIN)
        pull += weight * by_depth * residual
        stiffness += weight * by_depth**2
    depth = _depth_change(texture.points, pull, stiffness, count)
    return _Alignment(normal, Poses(rotation, translation), better, depth)


def _jacobian(
    image: Detail, camera: Camera, turn: Array, move: Array, texture: FaceTexture
) -> tuple[Array, Array]:
    """Derivative of the seen values by the pose (N, 6) and by the points' depth (N,)."""
    place = texture.points @ turn.T + move
    slope = sample(image, camera, place, 3)[:, 1:]
    by_place = (slope[..., None] * point_jacobian(camera, place)).sum(1)
    jacobian = np.concatenate([np.cross(place - move, by_place), by_place], -1)
    return jacobian.astype(np.float32), by_place @ turn[:, 2]


def _residual(seen: Array, texture: FaceTexture) -> tuple[Array, Array, float]:
    """Texture minus picture (N,), Huber weights (N,) and the mean robust cost."""
    weight = texture.weights
    total = weight.sum()
    # One contrast and one offset per frame absorb exposure.
    centred = texture.values - (weight * texture.values).sum() / total
    shown = seen - (weight * seen).sum() / total
    gain = (weight * centred * shown).sum() / max((weight * centred**2).sum(), 1e-9)
    residual = np.clip(gain, 0.5, 2.0) * centred - shown
    size = np.abs(residual) * np.sqrt(weight)
    huber = np.minimum(1.0, HUBER_SIGMAS / np.maximum(size, 1e-9))
    return residual, weight * huber, float((huber * size**2).mean())


def _depth_change(points: Array, pull: Array, stiffness: Array, frames: int) -> Array:
    """(N,) depth steps in metres, shared by points within a few millimetres."""
    from scipy.spatial import cKDTree

    share = INDEPENDENT_SHARE
    neighbours = cKDTree(points[:, :2]).query_ball_point(points[:, :2], 0.006)
    force = np.array([pull[near].sum() for near in neighbours]) * share
    hold = np.array([stiffness[near].sum() for near in neighbours]) * share
    return force / (hold + 1 / _DEPTH_FREEDOM**2 * max(frames / 50, 1.0))
