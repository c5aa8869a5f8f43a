"""From landmarks to a smooth head track: poses, refined rigid shape, expression landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import (
    EFFECTIVE_POINTS,
    SHAPE_FREEDOM,
    Poses,
    landmark_terms,
    pnp_poses,
    point_jacobian,
    project,
    solve_smooth,
)
from nerf_talker.geometry.headshape import similarity
from nerf_talker.geometry.photometric import Frames, refine_on_pictures
from nerf_talker.geometry.rotation import Array, exponential, logarithm
from nerf_talker.types import BoolArray, Camera

_ROUNDS = 3
_STEPS = 4


@dataclass(frozen=True)
class HeadTrack:
    """Poses of a clip and the shape they refer to.

    Attributes:
        poses: Head-to-camera poses, F frames.
        shape: (478, 3) metres, canonical head space.
        coarse: The PnP poses the refinement started from.
        weights: (F, R) inverse variances of the rigid points, 0 in frames without a face.
        splices: Frames before which time was cut out.
    """

    poses: Poses
    shape: Array
    coarse: Poses
    weights: Array
    splices: tuple[int, ...] = ()

    @property
    def seen(self) -> BoolArray:
        """(F,) frames with a face; the poses of the others are held between their neighbours."""
        return np.asarray(self.weights.max(1) > 0)


def track_head(
    camera: Camera,
    landmarks: Array,
    valid: BoolArray,
    shape: Array,
    smooth: float = 1.0,
    splices: Sequence[int] = (),
) -> HeadTrack:
    """Fit poses and rigid shape to a clip's landmarks.

    Args:
        camera: Intrinsics; the focal length is given, it is not observable from a head.
        landmarks: (F, 478, 2 or 3) pixels; only x and y are used.
        valid: (F,) bool; landmarks of other frames are ignored.
        shape: (478, 3) start shape, metres, canonical head space.
        smooth: Sigma in frames of the final Gaussian smoothing of the poses; 0 switches it off.
        splices: Frames before which time was cut out: nothing is smooth across them.

    Raises:
        InputError: A frame's landmarks admit no pose.
    """
    seen = np.asarray(landmarks, np.float64)[..., :2]
    rigid = np.asarray(mesh.RIGID)
    start = shape.astype(np.float64)
    shape = start.copy()
    coarse = poses = pnp_poses(camera, shape[rigid], seen[:, rigid])
    weights = point_weights(camera, poses, shape[rigid], seen[:, rigid], valid)
    for _ in range(_ROUNDS):
        poses = refine(camera, poses, shape[rigid], seen[:, rigid], weights, splices)
        shape = refine_shape(camera, poses, start, seen, valid)
        weights = point_weights(camera, poses, shape[rigid], seen[:, rigid], valid)
    poses = refine(camera, poses, shape[rigid], seen[:, rigid], weights, splices)
    poses = held(smoothed(poses, smooth, splices), valid, splices)
    return HeadTrack(poses, shape, coarse, weights, tuple(splices))


def on_pictures(camera: Camera, track: HeadTrack, landmarks: Array, frames: Frames) -> HeadTrack:
    """``track`` with its poses aligned to the pictures and the shape fitted to the new poses.

    Args:
        camera: Intrinsics of the pictures.
        track: A track whose poses are right to about two pixels.
        landmarks: (F, 478, 2 or 3) pixels.
        frames: Called for each pass over the clip; yields F (H, W) uint8 grey pictures.
    """
    seen = np.asarray(landmarks, np.float64)[..., :2]
    rigid = list(mesh.RIGID)
    poses = refine_on_pictures(
        camera, track.poses, track.shape, seen[:, rigid], track.weights, frames, track.splices
    )
    poses = held(poses, track.seen, track.splices)
    shape = refine_shape(camera, poses, track.shape, seen, track.seen)
    return replace(track, poses=poses, shape=shape)


def frame_by_frame(camera: Camera, track: HeadTrack, landmarks: Array) -> HeadTrack:
    """``track`` with one PnP pose per frame, each of its landmarks alone: what refining improves.

    Raises:
        InputError: A frame's landmarks admit no pose.
    """
    rigid = list(mesh.RIGID)
    seen = np.asarray(landmarks, np.float64)[:, rigid, :2]
    return replace(track, poses=pnp_poses(camera, track.shape[rigid], seen))


def refine(
    camera: Camera,
    poses: Poses,
    points: Array,
    observed: Array,
    weights: Array,
    splices: Sequence[int] = (),
) -> Poses:
    """Gauss-Newton over all poses with the acceleration prior; see :mod:`.bundle`."""
    for _ in range(_STEPS):
        normal, right = landmark_terms(camera, poses, points, observed, weights)
        poses = poses.moved(solve_smooth(poses, normal, right, splices=splices))
    return poses


def point_weights(
    camera: Camera, poses: Poses, points: Array, observed: Array, valid: BoolArray
) -> Array:
    """(F, N) inverse variances: points that move against the rest count less.

    The sum over a frame's points is that of :data:`EFFECTIVE_POINTS` independent ones.
    """
    residual = observed - project(camera, poses.in_camera(points))
    floor = 0.3 * camera.width / 512
    spread = residual[valid] - np.median(residual[valid], 0)
    variance = (1.4826 * np.median(np.abs(spread), 0)) ** 2
    variance = variance.sum(-1) + floor**2
    share = EFFECTIVE_POINTS / len(points)
    return np.where(valid[:, None], share / variance, 0.0)


def refine_shape(
    camera: Camera, poses: Poses, start: Array, observed: Array, valid: BoolArray
) -> Array:
    """All mean points from all frames, each tied to its start value.

    One Gauss-Newton step of the triangulation suffices, since a point moves by millimetres. The
    result is aligned back to ``start`` over the rigid points, so head space stays where it is.
    """
    turned = poses.rotation[valid]
    place = poses.in_camera(start)[valid]
    by_point = point_jacobian(camera, place) @ turned[:, None]
    residual = observed[valid] - project(camera, place)
    size = np.linalg.norm(residual, axis=-1)
    bound = 3 * camera.width / 512
    weight = np.minimum(1.0, bound / np.maximum(size, 1e-9))
    # Residuals are correlated over about half a second, so frames count as fewer.
    frames = max(len(place) / 12, 1.0)
    noise = camera.width / 512
    weight *= frames / len(place) / noise**2
    normal = np.einsum("fn,fnij,fnik->njk", weight, by_point, by_point)
    right = np.einsum("fn,fnij,fni->nj", weight, by_point, residual)
    normal += np.eye(3) / SHAPE_FREEDOM**2
    moved = start + np.linalg.solve(normal, right[..., None])[..., 0]
    rigid = list(mesh.RIGID)
    scale, rotation, shift = similarity(moved[rigid], start[rigid])
    return scale * moved @ rotation.T + shift


def held(poses: Poses, seen: BoolArray, splices: Sequence[int] = ()) -> Poses:
    """``poses`` that stand still from a piece's last frame with a face on, and before its first.

    Nothing but smoothness told them there, which would carry the head on and out of the picture.
    A piece without any face takes the nearest pose of another.
    """
    found, nearest = np.flatnonzero(seen), np.arange(len(seen))
    for piece in np.split(np.arange(len(seen)), sorted(splices)):
        own = found[np.isin(found, piece)]
        if len(own):
            nearest[piece] = np.clip(piece, own[0], own[-1])
        elif len(piece):
            nearest[piece] = found[np.abs(found - piece.mean()).argmin()]
    return Poses(poses.rotation[nearest], poses.translation[nearest])


def smoothed(poses: Poses, sigma: float, splices: Sequence[int] = ()) -> Poses:
    """Gaussian smoothing over time, zero phase, each piece between splices by itself."""
    if sigma <= 0 or len(poses) < 3:
        return poses
    from scipy.ndimage import gaussian_filter1d

    mean = poses.rotation[len(poses) // 2]
    local = logarithm(poses.rotation @ mean.T)
    values = np.concatenate([local, poses.translation], 1)
    pieces = [
        gaussian_filter1d(piece, sigma, axis=0, mode="nearest")
        for piece in np.split(values, list(splices))
        if len(piece)
    ]
    values = np.concatenate(pieces)
    return Poses(exponential(values[:, :3]) @ mean, values[:, 3:])


def expression_landmarks(camera: Camera, shape: Array, landmarks: Array) -> Array:
    """Landmarks in canonical head space with the frame's expression.

    Each image landmark is lifted along its ray to the depth of the rigid mean shape plus the
    landmarker's own relative depth; the part of the latter that follows the head's rotation is a
    bias of the landmarker and is regressed out. The head's place is that of the frame's own rigid
    landmarks, not of the track: a landmarker errs on the whole face alike, and so it cancels.

    Args:
        camera: Intrinsics.
        shape: (478, 3) metres.
        landmarks: (F, 478, 2 or 3) pixels.

    Returns:
        (F, 478, 3) metres.

    Raises:
        InputError: A frame's landmarks admit no pose.
    """
    seen = np.asarray(landmarks, np.float64)
    rigid = list(mesh.RIGID)
    poses = pnp_poses(camera, shape[rigid], seen[:, rigid, :2])
    place = poses.in_camera(shape)
    depth = place[..., 2]
    if seen.shape[-1] == 3:
        metres_per_pixel = poses.translation[:, 2] / camera.focal
        relative = seen[..., 2] * metres_per_pixel[:, None] - (depth - depth.mean(1)[:, None])
        relative -= np.median(relative[:, list(mesh.RIGID)], axis=1)[:, None]
        turn = logarithm(poses.rotation)
        design = np.concatenate([np.ones((len(turn), 1)), turn - turn.mean(0)], 1)
        penalty = np.diag([0.0, 1e-2, 1e-2, 1e-2])
        bias = np.linalg.solve(design.T @ design + penalty, design.T @ relative)
        depth = depth + np.clip(relative - design @ bias, -0.02, 0.02)
    lifted = (seen[..., :2] - np.asarray(camera.centre)) / camera.focal
    lifted = np.concatenate([lifted, np.ones_like(depth)[..., None]], -1) * depth[..., None]
    return (lifted - poses.translation[:, None]) @ poses.rotation
