"""A made-up rigid head and its motion, for tests that need landmarks with known poses."""

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import Poses, project
from nerf_talker.geometry.headshape import canonical_placement
from nerf_talker.geometry.rotation import exponential
from nerf_talker.types import Camera

CAMERA = Camera(1024.0, (256.0, 256.0), 512, 512)


def head_shape():
    """(478, 3): points on the front of an ellipsoid, mirrored, with the named points in place."""
    rng = np.random.default_rng(7)
    x, y = rng.uniform(-1, 1, (2, mesh.POINTS)) * [[0.068], [0.085]]
    for left, right in mesh.MIRROR_PAIRS:
        x[left], x[right], y[left] = -abs(x[left]) - 0.01, abs(x[left]) + 0.01, y[right]
    x[[mesh.FOREHEAD_TOP, mesh.CHIN, mesh.NOSE_BRIDGE]] = 0
    y[mesh.FOREHEAD_TOP], y[mesh.CHIN], y[mesh.NOSE_BRIDGE] = -0.085, 0.085, -0.03
    y[mesh.NOSE_BASE] = 0.025
    around = np.arange(16) / 16 * 2 * np.pi
    for side, rim in ((-1, mesh.RIGHT_EYE), (1, mesh.LEFT_EYE)):
        x[list(rim)] = side * (0.031 + 0.0135 * np.cos(around))
        y[list(rim)] = -0.03 - 0.005 * np.sin(around)
    oval = np.arange(36) / 36 * 2 * np.pi
    x[list(mesh.FACE_OVAL)], y[list(mesh.FACE_OVAL)] = 0.07 * np.sin(oval), -0.085 * np.cos(oval)
    z = -0.075 * np.sqrt(np.clip(1 - (x / 0.085) ** 2 - (y / 0.11) ** 2, 0.01, 1))
    return canonical_placement(np.stack([x, y, z], 1))


def head_motion(frames, seed=0):
    """Smooth poses about 0.8 m in front of the camera: nods, turns and sway."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / 25
    waves = np.zeros((frames, 6))
    for rate in (0.2, 0.5, 1.1):
        phase = rng.uniform(0, 2 * np.pi, 6)
        size = rng.uniform(0.3, 1.0, 6) * np.repeat([0.06, 0.008], 3) / (1 + rate)
        waves += size * np.sin(2 * np.pi * rate * time + phase)
    return Poses(exponential(waves[:, :3]), waves[:, 3:] + [0.0, 0.0, 0.8])


def seen_landmarks(poses, shape, noise, seed=1):
    """(F, 478, 3) noisy pixels with a relative depth in pixels."""
    rng = np.random.default_rng(seed)
    place = poses.in_camera(shape)
    pixels = project(CAMERA, place) + noise * rng.normal(size=(*place.shape[:2], 2))
    depth = (place[..., 2] - poses.translation[:, 2:]) * CAMERA.focal / poses.translation[:, 2:]
    return np.concatenate([pixels, depth[..., None]], -1)
