"""How good a head track is, measured on itself: what a person can read before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import Poses, project
from nerf_talker.geometry.rotation import Array
from nerf_talker.geometry.tracking import HeadTrack
from nerf_talker.types import Camera


@dataclass(frozen=True)
class TrackReport:
    """Figures of a track; pixels are those of a picture 512 wide.

    A track cannot know the truth: landmarks that err on the whole face alike fit any pose well
    (see :func:`wander`), and a shaking camera is jitter that must be followed.

    Attributes:
        reprojection_rms: Distance of the projected rigid points from their landmarks.
        reprojection_median: Its median over points and frames with a face.
        reprojection_p95: Its 95th percentile.
        wander: See :func:`wander`.
        jitter: RMS second difference of the projected nose bridge from frame to frame.
        jitter_pnp: The same of the coarse track, one PnP per frame. What is left of the
            difference is not all noise: pictures move too, by codecs and converted frame rates.
        jerk: RMS third difference of it.
        depth_jitter: RMS second difference of the distance, in percent of the distance.
        depth_jitter_pnp: The same of the coarse track.
        held: Share of the frames without a face, whose pose is held between their neighbours.
    """

    reprojection_rms: float
    reprojection_median: float
    reprojection_p95: float
    wander: float
    jitter: float
    jitter_pnp: float
    jerk: float
    depth_jitter: float
    depth_jitter_pnp: float
    held: float


def report_track(camera: Camera, track: HeadTrack, landmarks: Array) -> TrackReport:
    """Measure a track against the landmarks it was made from.

    Args:
        camera: Intrinsics.
        track: F frames.
        landmarks: (F, 478, 2 or 3) pixels.
    """
    scale = 512 / camera.width
    residual = _residual(camera, track, landmarks)
    length = scale * np.linalg.norm(residual, axis=-1)[track.seen]
    bridge, coarse = (_bridge(camera, poses, track.shape) for poses in (track.poses, track.coarse))
    return TrackReport(
        reprojection_rms=float(np.sqrt((length**2).mean())),
        reprojection_median=float(np.median(length)),
        reprojection_p95=float(np.percentile(length, 95)),
        wander=wander(camera, track, landmarks),
        jitter=scale * difference(bridge, 2, track.splices),
        jitter_pnp=scale * difference(coarse, 2, track.splices),
        jerk=scale * difference(bridge, 3, track.splices),
        depth_jitter=_depth_jitter(track.poses, track.splices),
        depth_jitter_pnp=_depth_jitter(track.coarse, track.splices),
        held=float(1 - track.seen.mean()),
    )


def wander(camera: Camera, track: HeadTrack, landmarks: Array) -> float:
    """RMS part of the reprojection error that lasts from one frame to the next, px at 512.

    Noise that is new in every frame averages out over a clip and does no harm. Landmarks that
    drift against the head for many frames (a landmarker does that with the expression and the
    view) pull the poses along, and nothing in the landmarks shows by how much.
    """
    residual = _residual(camera, track, landmarks)
    both = track.seen[1:] & track.seen[:-1]
    if not both.any():
        return 0.0
    shared = float((residual[1:][both] * residual[:-1][both]).sum(-1).mean())
    return float(np.sqrt(max(shared, 0.0))) * 512 / camera.width


def difference(path: Array, order: int, splices: Sequence[int] = ()) -> float:
    """RMS length of the ``order``-th difference of an (F, D) path; 0 for shorter paths.

    Differences across a splice, a frame before which time was cut out, are left out.
    """
    parts = [np.diff(piece, order, axis=0) for piece in np.split(path, list(splices))]
    steps = np.concatenate([part for part in parts if len(part)] or [path[:0]])
    return float(np.sqrt((steps**2).sum(-1).mean())) if len(steps) else 0.0


def _residual(camera: Camera, track: HeadTrack, landmarks: Array) -> Array:
    rigid = list(mesh.RIGID)
    shown = project(camera, track.poses.in_camera(track.shape[rigid]))
    return np.asarray(landmarks[:, rigid, :2] - shown)


def _bridge(camera: Camera, poses: Poses, shape: Array) -> Array:
    """(F, 2) pixels of the bridge of the nose."""
    return project(camera, poses.in_camera(shape[[mesh.NOSE_BRIDGE]]))[:, 0]


def _depth_jitter(poses: Poses, splices: Sequence[int]) -> float:
    depth = poses.translation[:, 2:]
    return 100 * difference(depth / np.median(depth), 2, splices)
