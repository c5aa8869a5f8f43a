"""Triangle-mesh arithmetic for the sample head: smooth subdivision, skinning and normals.

Subdivision is Loop's scheme (C. Loop, *Smooth Subdivision Surfaces Based on Triangles*, 1987) held
as one sparse matrix, so that a posed coarse mesh becomes a posed smooth mesh with one product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def loop_subdivision(triangles: Indices, count: int, levels: int) -> tuple[Any, Indices]:
    """The linear map from a coarse mesh to its Loop subdivision.

    Args:
        triangles: (T, 3) coarse triangles.
        count: Number of coarse vertices.
        levels: How often every triangle is split in four.

    Returns:
        A sparse (V, count) matrix, whose first ``count`` rows are the coarse vertices' new places,
        and the (T * 4**levels, 3) fine triangles.
    """
    from scipy import sparse

    total = sparse.identity(count, format="csr")
    for _ in range(levels):
        step, triangles = _loop_step(triangles, total.shape[0])
        total = step @ total
    return total.tocsr(), triangles


def _loop_step(triangles: Indices, count: int) -> tuple[Any, Indices]:
    from scipy import sparse

    corners = triangles[:, [0, 1, 2]], triangles[:, [1, 2, 0]], triangles[:, [2, 0, 1]]
    first, second, opposite = (part.ravel() for part in corners)
    low, high = np.minimum(first, second), np.maximum(first, second)
    keys, edge_of, uses = np.unique(low * count + high, return_inverse=True, return_counts=True)
    ends = np.stack([keys // count, keys % count], 1)
    rim = uses == 1
    edges = np.arange(len(keys))
    weight = np.where(rim, 0.5, 0.375)
    inner = ~rim[edge_of]
    edge_rows = sparse.csr_matrix(
        (
            np.concatenate([weight, weight, np.full(inner.sum(), 0.125)]),
            (
                np.concatenate([edges, edges, edge_of[inner]]),
                np.concatenate([ends[:, 0], ends[:, 1], opposite[inner]]),
            ),
        ),
        shape=(len(keys), count),
    )
    split = edge_of.reshape(-1, 3) + count
    a, b, c = triangles.T
    ab, bc, ca = split.T
    fine = np.concatenate(
        [np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    )
    return sparse.vstack([_vertex_rows(ends, rim, count), edge_rows]), fine


def _vertex_rows(ends: Indices, rim: npt.NDArray[np.bool_], count: int) -> Any:
    from scipy import sparse

    both = np.concatenate([ends, ends[:, ::-1]])
    neighbours = sparse.csr_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), (count, count))
    edge = np.concatenate([ends[rim], ends[rim][:, ::-1]])
    border = sparse.csr_matrix((np.ones(len(edge)), (edge[:, 0], edge[:, 1])), (count, count))
    valence = np.maximum(np.asarray(neighbours.sum(1)).ravel(), 1)
    on_border = np.asarray(border.sum(1)).ravel() > 0
    beta = (0.625 - (0.375 + 0.25 * np.cos(2 * np.pi / valence)) ** 2) / valence
    keep = np.where(on_border, 0.75, 1 - valence * beta)
    pull = sparse.diags(np.where(on_border, 0.0, beta)) @ neighbours
    return sparse.diags(keep) + pull + sparse.diags(np.where(on_border, 0.125, 0.0)) @ border


def follow_matrix(points: Points, triangles: Indices, handles: Indices) -> tuple[Indices, Points]:
    """How free vertices follow moved ones: the smoothest field that meets the handles.

    Solves the bi-Laplace equation on the edge graph with weights 1 / length (after M. Botsch and
    L. Kobbelt, *An Intuitive Framework for Real-Time Freeform Modeling*, 2004).

    Args:
        points: (V, 3) rest positions.
        triangles: (T, 3).
        handles: (P,) indices of the vertices whose displacement is prescribed.

    Returns:
        The (Q,) indices of the free vertices and the (Q, P) matrix that turns handle displacements
        into theirs.
    """
    count = len(points)
    laplacian = np.zeros((count, count))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        i, j = triangles[:, a], triangles[:, b]
        weight = 1 / np.maximum(np.linalg.norm(points[i] - points[j], axis=1), 1e-6)
        laplacian[i, j] = laplacian[j, i] = -weight
    np.fill_diagonal(laplacian, -laplacian.sum(1))
    laplacian /= np.maximum(np.diag(laplacian), 1e-9)[:, None]
    bilaplacian = laplacian.T @ laplacian
    free = np.setdiff1d(np.arange(count), handles).astype(np.int64)
    system = bilaplacian[np.ix_(free, free)] + 1e-9 * np.eye(len(free))
    return free, np.asarray(-np.linalg.solve(system, bilaplacian[np.ix_(free, handles)]))


def vertex_normals(points: Points, triangles: Indices) -> Points:
    """(V, 3) unit normals, area-weighted, on the side from which triangles look anticlockwise."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    flat = triangles.ravel()
    spread = np.repeat(faces, 3, axis=0)
    columns = [np.bincount(flat, spread[:, k], len(points)) for k in range(3)]
    summed = np.stack(columns, 1)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def grid_triangles(rows: int, columns: int, closed: bool = False) -> Indices:
    """Triangles of a (rows, columns) vertex grid; ``closed`` joins the last column to the first."""
    across = columns if closed else columns - 1
    r = np.repeat(np.arange(rows - 1), across)
    c = np.tile(np.arange(across), rows - 1)
    d = (c + 1) % columns
    a, b = r * columns + c, r * columns + d
    e, f = (r + 1) * columns + c, (r + 1) * columns + d
    return np.concatenate([np.stack([a, e, b], 1), np.stack([b, e, f], 1)])


def smoothstep(low: float, high: float, x: npt.ArrayLike) -> Points:
    """Hermite ramp from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((np.asarray(x, np.float64) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
