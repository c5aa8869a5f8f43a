"""The rigid mean head: 478 points in metres in canonical head space, built from a clip.

Landmarks with a relative depth are lifted under weak perspective and averaged after similarity
alignment (generalised Procrustes analysis, Gower 1975). The result is turned so that x is the
left-right axis and the line from the top of the forehead to the chin lies in the image plane, and
scaled so that the outer eye corners are :data:`OUTER_EYE_DISTANCE` apart.

The origin lies in the plane of symmetry, at the height of the ears (middle of points 234 and
454), :data:`BRIDGE_TO_CENTRE` behind the bridge of the nose: about the middle between the ears.
"""

from __future__ import annotations

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.rotation import Array

# Adults: 86-92 mm between the outer eye corners (anthropometric tables, ex-ex distance).
OUTER_EYE_DISTANCE = 0.089
# Metres from the nose bridge back to the line through the ears.
BRIDGE_TO_CENTRE = 0.075

_ALIGNMENT_FRAMES = 240
_ALIGNMENT_ROUNDS = 4


def similarity(source: Array, target: Array) -> tuple[float, Array, Array]:
    """Least-squares scale, rotation, translation with ``target ~ s * R @ source + t``.

    Args:
        source: (N, D) points.
        target: (N, D) points.

    Returns:
        Scale, (D, D) rotation, (D,) translation (Umeyama 1991).
    """
    mean_source, mean_target = source.mean(0), target.mean(0)
    a, b = source - mean_source, target - mean_target
    u, values, vt = np.linalg.svd(b.T @ a)
    sign = np.ones(len(values))
    sign[-1] = np.sign(np.linalg.det(u @ vt))
    rotation = u @ np.diag(sign) @ vt
    scale = float((values * sign).sum() / max((a**2).sum(), 1e-12))
    return scale, rotation, mean_target - scale * rotation @ mean_source


def ellipsoid_depth(points: Array) -> Array:
    """A depth for 2-D landmarks: the front of an ellipsoid through the face outline.

    Args:
        points: (F, N, 2) pixels.

    Returns:
        (F, N) pixels, growing into the scene, 0 at the bridge of the nose.
    """
    low, high = points.min(1, keepdims=True), points.max(1, keepdims=True)
    # A frame without a face may hold one repeated point; it is interpolated over later.
    across = (points - (low + high) / 2) / (0.55 * np.maximum(high - low, 1e-6))
    width = (high - low)[..., 0]
    depth = -0.55 * width * np.sqrt(np.clip(1 - (across**2).sum(-1), 0.02, None))
    nose = [1, 4, 5, 19, 195]
    depth[:, nose] -= 0.08 * width
    return depth - depth[:, mesh.NOSE_BRIDGE : mesh.NOSE_BRIDGE + 1]


def mean_head(landmarks: Array, valid: Array) -> Array:
    """The rigid mean shape of a clip.

    Args:
        landmarks: (F, 478, 3) pixels, z relative and growing into the scene.
        valid: (F,) bool, frames that may be used.

    Returns:
        (478, 3) metres in canonical head space.
    """
    rows = np.flatnonzero(valid)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _ALIGNMENT_FRAMES)).astype(int)]
    clouds = landmarks[rows].astype(np.float64)
    rigid = list(mesh.RIGID)
    mean = clouds[len(clouds) // 2]
    for _ in range(_ALIGNMENT_ROUNDS):
        aligned = np.empty_like(clouds)
        for index, cloud in enumerate(clouds):
            scale, rotation, shift = similarity(cloud[rigid], mean[rigid])
            aligned[index] = scale * cloud @ rotation.T + shift
        mean = np.median(aligned, 0)
    return canonical_placement(mean)


def canonical_placement(shape: Array) -> Array:
    """``shape`` (478, 3) in any pose and unit, moved to canonical head space in metres."""
    left, right = np.asarray(mesh.MIRROR_PAIRS).T
    across = (shape[right] - shape[left]).mean(0)
    across /= np.linalg.norm(across)
    down = shape[mesh.CHIN] - shape[mesh.FOREHEAD_TOP]
    down -= across * (down @ across)
    down /= np.linalg.norm(down)
    axes = np.stack([across, down, np.cross(across, down)])
    turned = shape @ axes.T
    first, second = mesh.EYE_CORNERS
    turned *= OUTER_EYE_DISTANCE / np.linalg.norm(turned[first] - turned[second])
    middle = (turned[left] + turned[right]).mean(0) / 2
    height = turned[list(mesh.EAR_SIDES), 1].mean()
    depth = turned[mesh.NOSE_BRIDGE, 2] + BRIDGE_TO_CENTRE
    return turned - np.array([middle[0], height, depth])
