"""Light and colour of the sample scene: shading fixed to the head, and the texture atlas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.data.sample_mesh import Points

_KEY = np.array([-0.42, 0.50, 0.76])
_FILL = np.array([0.80, 0.05, 0.60])
# Shadows keep more red than blue, as light that has passed through skin does.
_SHADOW_TINT = np.array([0.88, 1.05, 1.12], np.float32)
_GLOSS_TINT = np.array([1.0, 0.94, 0.88], np.float32)
_GLINT = np.array([-0.22, 0.32, 0.92])


def light(normals: Points) -> Points:
    """(V,) brightness of surfaces with unit ``normals`` in sculpting space."""
    key, fill = _KEY / np.linalg.norm(_KEY), _FILL / np.linalg.norm(_FILL)
    wrapped = np.clip((normals @ key + 0.35) / 1.35, 0, 1)
    return np.asarray(
        0.33 + 0.64 * wrapped + 0.13 * np.clip(normals @ fill, 0, 1) + 0.07 * normals[:, 1]
    )


def sheen(normals: Points, power: float) -> Points:
    """(V,) highlight of unit strength, fixed to the head."""
    half = _GLINT / np.linalg.norm(_GLINT)
    return np.asarray(np.clip(normals @ half, 0, 1) ** power)


class Atlas:
    """All tiles below each other in one picture, so that every pixel is coloured in one pass."""

    def __init__(self, tiles: dict[str, npt.NDArray[np.float32]]) -> None:
        width = max(tile.shape[1] for tile in tiles.values())
        self._boxes: dict[str, tuple[int, int, int]] = {}
        rows, top = [], 0
        for name, tile in tiles.items():
            h, w = tile.shape[:2]
            rows.append(np.pad(tile, ((0, 0), (0, width - w), (0, 0)), mode="edge"))
            self._boxes[name] = (top, h, w)
            top += h
        self._texels = np.ascontiguousarray(np.concatenate(rows).reshape(-1, 3), np.float32)
        self._width = width

    def place(self, uv: Points, tile: str) -> Points:
        """(V, 2) atlas texels of (V, 2) ``uv`` in [0, 1] on a tile."""
        top, h, w = self._boxes[tile]
        x = np.clip(uv[:, 0] * w - 0.5, 0, w - 1.001)
        y = np.clip(uv[:, 1] * h - 0.5, 0, h - 1.001)
        return np.stack([x, y + top], 1)

    def shade(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(K, 3) colours in [0, 1] of (K, 4) atlas column, row, brightness and highlight."""
        column, row = values[:, 0], values[:, 1]
        x, y = column.astype(np.int64), row.astype(np.int64)
        right, down = (column - x)[:, None], (row - y)[:, None]
        at = y * self._width + x
        texels, width = self._texels, self._width
        upper = texels[at] * (1 - right) + texels[at + 1] * right
        lower = texels[at + width] * (1 - right) + texels[at + width + 1] * right
        colour = upper * (1 - down) + lower * down
        shade = np.exp(np.log(np.maximum(values[:, 2:3], 0.02)) * _SHADOW_TINT)
        return np.asarray(np.clip(colour * shade + values[:, 3:4] * _GLOSS_TINT, 0, 1), np.float32)
