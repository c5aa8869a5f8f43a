"""Points spread over parts of the face's surface, (N, 3) metres in canonical head space."""

from __future__ import annotations

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.rotation import Array

# Metres above the outer eye corners from where on brows move the skin. Leaving out brows and
# forehead made ears and hairline, which are not aligned, agree better over a clip.
BROW_CLEARANCE = 0.012
# Metres above the outer eye corners where the brows end.
FOREHEAD_CLEARANCE = 0.032
# Distance of neighbouring points on the face, metres.
SPACING = 0.0024


def surface_points(shape: Array) -> Array:
    """Points between brows and upper lip on the mesh of (478, 3) ``shape``, without the lids."""
    lids = []
    for eye in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
        points = shape[list(eye)]
        lids.append(points.mean(0) + (points - points.mean(0)) * [0.95, 1.7, 1])
    top = shape[list(mesh.EYE_CORNERS), 1].mean() - BROW_CLEARANCE
    return _on_face(shape, lids, top, shape[mesh.NOSE_BASE, 1])


def forehead_points(shape: Array) -> Array:
    """Points between brows and hairline on the mesh of (478, 3) ``shape``."""
    bottom = shape[list(mesh.EYE_CORNERS), 1].mean() - FOREHEAD_CLEARANCE
    return _on_face(shape, [], -np.inf, bottom)


def _on_face(shape: Array, left_out: list[Array], top: float, bottom: float) -> Array:
    """Points inside the face's outline, outside the hulls left out, and between two heights."""
    import cv2
    from scipy.interpolate import RBFInterpolator

    mesh_points = shape[:468]
    low, high = mesh_points[:, :2].min(0), mesh_points[:, :2].max(0)
    axes = [np.arange(a, b, SPACING) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="xy"), -1)
    canvas = np.zeros(grid.shape[:2], np.uint8)

    def fill(points: Array, value: int) -> None:
        pixels = np.round((points[:, :2] - low) / SPACING).astype(np.int32)
        cv2.fillPoly(canvas, [cv2.convexHull(pixels)], value)

    fill(shape[list(mesh.FACE_OVAL)] * [0.93, 0.96, 1], 1)
    for points in left_out:
        fill(points, 0)
    kept = grid[(canvas > 0) & (grid[..., 1] > top) & (grid[..., 1] < bottom)]
    if not len(kept):
        return np.zeros((0, 3))
    # Smoothing, in squared metres, only keeps coinciding landmarks solvable.
    depth = RBFInterpolator(mesh_points[:, :2], mesh_points[:, 2], neighbors=16, smoothing=1e-7)
    return np.concatenate([kept, depth(kept)[:, None]], -1)
