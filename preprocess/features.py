"""Lips and eyes of a picture: the outlines of the face mesh, to a part of a pixel.

They are small: at 256 pixels of width half a pixel around an eye is a sixth of its area. So a
pixel's share is measured, not whether an outline touches it, and shares are what is resized.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.data.labels import Label
from nerf_talker.geometry import mesh
from nerf_talker.types import ByteArray, FloatArray

_OUTLINES = (
    (Label.LIPS, (mesh.LIPS[:20],)),
    (Label.EYES, (mesh.RIGHT_EYE, mesh.LEFT_EYE)),
)
# Rows that a pixel is cut into when its share is measured.
_LINES = 8
# Guided filter that moves the outlines to edges of the picture that are near: radius in working
# pixels and grey levels squared below which a difference is no edge. On the drawn sample it takes
# a quarter off the eyes' errors and a tenth off the lips'; with radii above 4 it cuts off the
# corners of people's eyes, as does telling eye from skin by colour.
EDGE_RADIUS, EDGE_LEVEL = 3, 30.0

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Feature:
    """A small part of the face.

    Attributes:
        label: Its class.
        share: (S, S) of each pixel in [0, 1].
    """

    label: Label
    share: FloatArray

    def resized(self, size: int) -> Feature:
        """The same part of a picture of ``size`` x ``size`` pixels."""
        import cv2

        how = cv2.INTER_AREA if size < len(self.share) else cv2.INTER_LINEAR
        share = cv2.resize(self.share, (size, size), interpolation=how)
        return Feature(self.label, np.asarray(share, np.float32))


def features_of(picture: ByteArray, landmarks: FloatArray) -> tuple[Feature, ...]:
    """Lips, with all that shows between them, and what shows between the lids.

    Args:
        picture: (S, S, 3) RGB.
        landmarks: (478, 2 or more) pixels of it.
    """
    return tuple(
        Feature(label, _share(picture, [landmarks[list(rim), :2] for rim in rims]))
        for label, rims in _OUTLINES
    )


def _share(picture: ByteArray, outlines: list[FloatArray]) -> FloatArray:
    """(S, S) share of the pixels inside one of the outlines, (N, 2) pixels each."""
    import cv2

    size = picture.shape[0]
    share = np.zeros((size, size), np.float32)
    for points in outlines:
        part = _around(points, size)
        inside = coverage(points, part)
        if inside.size:
            guide = np.ascontiguousarray(picture[part])
            fitted = cv2.ximgproc.guidedFilter(guide, inside, EDGE_RADIUS, EDGE_LEVEL)
            share[part] = np.maximum(share[part], np.clip(fitted, 0, 1))
    return share


def _around(points: FloatArray, size: int) -> Box:
    """The part of an S x S picture that holds (N, 2) points and what the filter looks at."""
    margin = 3 * EDGE_RADIUS
    low = np.clip(np.floor(points.min(0)).astype(int) - margin, 0, size)
    high = np.clip(np.ceil(points.max(0)).astype(int) + margin, 0, size)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def coverage(outline: FloatArray, part: Box) -> FloatArray:
    """Share of each pixel of a part of a picture that lies inside a closed outline.

    ``cv2.fillPoly`` would also fill every pixel that the outline touches.

    Args:
        outline: (N, 2) x and y in pixels, no line of it crossing another.
        part: Rows and columns.

    Returns:
        (rows, columns) in [0, 1].
    """
    rows, columns = part
    height, width = rows.stop - rows.start, columns.stop - columns.start
    y = (rows.start + (np.arange(height * _LINES) + 0.5) / _LINES)[:, None]
    first, second = outline.astype(np.float64), np.roll(outline, -1, 0).astype(np.float64)
    # Where each line of the outline crosses each row, and from which side.
    side = (second[:, 1] > y).astype(int) - (first[:, 1] > y)
    row, line = np.nonzero(side)
    rise = second[line, 1] - first[line, 1]
    along = (y[row, 0] - first[line, 1]) / rise
    x = first[line, 0] + along * (second[line, 0] - first[line, 0]) - columns.start
    x = np.clip(x, 0, width)
    # All that lies right of a crossing is inside or outside; the pixel it is in only in part.
    column = x.astype(int)
    place, sign = row // _LINES * (width + 2) + column, side[row, line] / _LINES
    starts = np.bincount(place, sign * (column + 1 - x), height * (width + 2))
    starts += np.bincount(place + 1, sign * (x - column), height * (width + 2))
    share = np.abs(starts.reshape(height, width + 2)[:, :width].cumsum(1))
    return np.asarray(np.clip(share, 0, 1), np.float32)
