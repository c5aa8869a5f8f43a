"""A vectorised z-buffer rasteriser in numpy.

Triangles are cut into pixel rows, every row's span is found from the three edge equations, and all
spans are expanded at once; the nearest triangle of a pixel wins by an integer minimum, so that the
result does not depend on the order of anything.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
_ID_BITS = 20


def rasterise(pixels: Values, depth: Values, triangles: Indices, size: int) -> Indices:
    """The nearest triangle at each pixel centre.

    Args:
        pixels: (V, 2) x, y in pixels of a ``size`` square; pixel (0, 0) covers [0, 1) x [0, 1).
        depth: (V,) metres, positive and below 8.
        triangles: (T, 3), T < 2**20, either orientation.
        size: Side of the picture.

    Returns:
        (size, size) triangle index, -1 where nothing is.
    """
    corner = pixels[triangles]
    top = np.maximum(np.ceil(corner[:, :, 1].min(1) - 0.5), 0).astype(np.int64)
    bottom = np.minimum(np.floor(corner[:, :, 1].max(1) - 0.5), size - 1).astype(np.int64)
    rows = np.maximum(bottom - top + 1, 0)
    near = np.flatnonzero(rows)
    triangle = np.repeat(near, rows[near])
    row = np.arange(len(triangle)) - np.repeat(np.cumsum(rows[near]) - rows[near], rows[near])
    row += top[triangle]
    left, right = _spans(corner, triangle, row + 0.5)
    first = np.maximum(np.ceil(left - 0.5), 0).astype(np.int64)
    count = np.minimum(np.floor(right - 0.5), size - 1).astype(np.int64) - first + 1
    kept = np.flatnonzero(count > 0)
    count, triangle = count[kept], triangle[kept]
    start = row[kept] * size + first[kept]
    slope = depth_planes(corner, 1 / depth[triangles][:, :, None])[:, 0][triangle]
    nearness = slope[:, 0] + slope[:, 1] * (first[kept] + 0.5) + slope[:, 2] * (row[kept] + 0.5)
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    flat = np.repeat(start, count) + offset
    nearness = np.repeat(nearness, count) + np.repeat(slope[:, 1], count) * offset
    code = (np.maximum(8.0 - nearness, 0.0) * (1 << 38)).astype(np.int64) << _ID_BITS
    buffer = np.full(size * size, np.iinfo(np.int64).max)
    np.minimum.at(buffer, flat, code + np.repeat(triangle, count))
    found = np.where(buffer == np.iinfo(np.int64).max, -1, buffer & ((1 << _ID_BITS) - 1))
    return found.reshape(size, size)


def _spans(corner: Values, triangle: Indices, y: Values) -> tuple[Values, Values]:
    """Where each row ``y`` of its ``triangle`` begins and ends, in pixels."""
    ahead = corner[:, [1, 2, 0]]
    rise = ahead[:, :, 1] - corner[:, :, 1]
    slope = (ahead[:, :, 0] - corner[:, :, 0]) / np.where(rise == 0, 1, rise)
    base = corner[:, :, 0] - slope * corner[:, :, 1]
    low = np.minimum(corner[:, :, 1], ahead[:, :, 1])
    high = np.where(rise == 0, -np.inf, np.maximum(corner[:, :, 1], ahead[:, :, 1]))
    table = np.concatenate([slope, base, low, high], 1)[triangle]
    y = y[:, None]
    x = table[:, :3] * y + table[:, 3:6]
    crossed = (table[:, 6:9] <= y) & (y <= table[:, 9:])
    left = np.where(crossed, x, np.inf)
    right = np.where(crossed, x, -np.inf)
    first = np.minimum(np.minimum(left[:, 0], left[:, 1]), left[:, 2])
    last = np.maximum(np.maximum(right[:, 0], right[:, 1]), right[:, 2])
    return np.where(np.isfinite(first), first, 0), np.where(np.isfinite(last), last, -1)


def depth_planes(corner: Values, values: Values) -> Values:
    """Coefficients of ``value = c0 + c1 x + c2 y`` over each triangle.

    Args:
        corner: (T, 3, 2) pixels.
        values: (T, 3, A) at the corners.

    Returns:
        (T, A, 3); triangles without area give the first corner's value.
    """
    edge, other = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    area = edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0]
    inverse = np.where(np.abs(area) < 1e-9, 0, 1 / np.where(area == 0, 1, area))[:, None]
    rise, more = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]
    along_x = (rise * other[:, 1:2] - more * edge[:, 1:2]) * inverse
    along_y = (more * edge[:, 0:1] - rise * other[:, 0:1]) * inverse
    base = values[:, 0] - along_x * corner[:, 0, 0:1] - along_y * corner[:, 0, 1:2]
    return np.stack([base, along_x, along_y], 2)


def interpolate(
    found: Indices, pixels: Values, triangles: Indices, values: Values
) -> tuple[Indices, npt.NDArray[np.float32]]:
    """Vertex values at the pixel centres that :func:`rasterise` covered.

    Args:
        found: (S, S) triangle index.
        pixels: (V, 2).
        triangles: (T, 3).
        values: (V, A).

    Returns:
        (K,) flat pixel indices and (K, A) values, linear on the screen.
    """
    flat = np.flatnonzero(found >= 0)
    at = found.ravel()[flat]
    used = np.zeros(len(triangles), bool)
    used[at] = True
    seen, which = np.flatnonzero(used), (np.cumsum(used) - 1)[at]
    chosen = triangles[seen]
    planes = depth_planes(pixels[chosen], values[chosen]).astype(np.float32)
    picked = planes[which]
    size = found.shape[0]
    x = ((flat % size) + 0.5).astype(np.float32)[:, None]
    y = ((flat // size) + 0.5).astype(np.float32)[:, None]
    # A sliver's plane is steep; its own corner values bound what may be seen through it.
    low, high = values[chosen].min(1), values[chosen].max(1)
    result = picked[:, :, 0] + picked[:, :, 1] * x + picked[:, :, 2] * y
    return flat, np.clip(result, low[which].astype(np.float32), high[which].astype(np.float32))
