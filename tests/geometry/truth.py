"""Comparing a track with true poses that refer to another head space."""

from dataclasses import dataclass

import numpy as np

from nerf_talker.geometry.bundle import Poses, project
from nerf_talker.geometry.rotation import inverse_rigid, logarithm
from nerf_talker.geometry.track_report import difference


@dataclass(frozen=True)
class PoseError:
    """95th percentiles over the frames; ``jitter`` of the bridge of the nose in px at 512."""

    degrees: float
    distance_percent: float
    pumping_percent: float
    jitter: float


def true_poses(camera_to_head):
    pose = inverse_rigid(camera_to_head)
    return Poses(pose[:, :3, :3], pose[:, :3, 3])


def pose_error(camera, found, truth, bridge):
    """Errors left after the best constant change of head space and scale.

    With R' = R G and t' = s t + R g, a found head-space point p is the true one (G p + g) / s.
    """
    relative = (np.swapaxes(truth.rotation, 1, 2) @ found.rotation).sum(0)
    u, _, vt = np.linalg.svd(relative)
    turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    error = logarithm(np.swapaxes(truth.rotation @ turn, 1, 2) @ found.rotation)
    design = np.concatenate([truth.translation[..., None], truth.rotation], -1)
    scale, *shift = np.linalg.lstsq(
        design.reshape(-1, 4), found.translation.reshape(-1), rcond=None
    )[0]
    wanted = scale * truth.translation + truth.rotation @ shift
    away = np.linalg.norm(found.translation - wanted, axis=1) / np.linalg.norm(wanted, axis=1)
    depth = found.translation[:, 2] / wanted[:, 2]
    same = (turn @ bridge + shift) / scale
    paths = [
        project(camera, poses.in_camera(point[None]))[:, 0]
        for poses, point in ((found, bridge), (truth, same))
    ]
    return PoseError(
        float(np.percentile(np.degrees(np.linalg.norm(error, axis=1)), 95)),
        float(100 * np.percentile(away, 95)),
        float(100 * np.percentile(np.abs(depth / np.median(depth) - 1), 95)),
        difference(paths[0] - paths[1], 2) * 512 / camera.width,
    )
