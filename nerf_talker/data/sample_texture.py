"""Procedural textures of the sample scene: skin, lips, brows, eyes, teeth, hair and cloth.

Every tile is an (h, w, 3) float32 image in [0, 1] of unlit colour, drawn from a fixed seed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.data.sample_face import (
    INNER,
    LEFT_BROW,
    LEFT_EYE,
    OUTER,
    RIGHT_BROW,
    RIGHT_EYE,
    FaceRig,
)
from nerf_talker.data.sample_mesh import Points, smoothstep

Tile = npt.NDArray[np.float32]

FACE_BOX = (-11.0, 11.0, -14.0, 10.0)
_PER_CM = 30
_SKIN = np.array([0.955, 0.765, 0.665])
_HAIR = np.array([0.42, 0.245, 0.145])


def face_uv(points: Points) -> Points:
    """(V, 2) place on the face tile: the frontal projection of sculpting space."""
    left, right, low, high = FACE_BOX
    return np.stack(
        [(points[:, 0] - left) / (right - left), (high - points[:, 1]) / (high - low)], 1
    )


def bake_tiles(rig: FaceRig, detail: float) -> dict[str, Tile]:
    """All tiles; ``detail`` below 1 averages them down so that small pictures do not shimmer."""
    import cv2

    rng = np.random.default_rng(7)
    tiles = {
        "face": _face(rig, rng),
        "neck": _plain_skin(rng, (340, 760), (0.97, 0.95, 0.94)),
        "ear": _plain_skin(rng, (128, 96), (1.0, 0.92, 0.9)),
        "eye": _eye(rng),
        "teeth": _teeth(),
        "tongue": np.broadcast_to((0.74, 0.36, 0.36), (16, 16, 3)),
        "hair": _hair(rng),
        "cloth": _cloth(rng),
        "collar": np.broadcast_to((0.13, 0.345, 0.40), (16, 16, 3)),
    }
    shrunk = {}
    for name, tile in tiles.items():
        image: Tile = np.ascontiguousarray(np.clip(tile, 0, 1), np.float32)
        if detail < 1:
            to = tuple(max(8, round(side * detail)) for side in image.shape[1::-1])
            image = np.asarray(cv2.resize(image, to, interpolation=cv2.INTER_AREA), np.float32)
        shrunk[name] = image
    return shrunk


def _noise(rng: np.random.Generator, shape: tuple[int, int], blur: tuple[float, float]) -> Points:
    """Smooth noise of unit deviation; ``blur`` is (down, across) in texels."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal(shape), blur, mode="wrap")
    return np.asarray(field / field.std())


def _plain_skin(
    rng: np.random.Generator, shape: tuple[int, int], tint: tuple[float, float, float]
) -> Points:
    tone = 1 + 0.012 * _noise(rng, shape, (12, 12)) + 0.016 * _noise(rng, shape, (1, 1))
    return _SKIN * tint * tone[..., None]


def _blob(x: Points, y: Points, at: tuple[float, float], spread: tuple[float, float]) -> Points:
    """Two mirrored soft spots."""
    vertical = ((y - at[1]) / spread[1]) ** 2
    return np.asarray(np.exp(-(((np.abs(x) - at[0]) / spread[0]) ** 2) - vertical))


class _Canvas:
    """Masks drawn in sculpting centimetres over the face tile."""

    def __init__(self) -> None:
        left, right, low, high = FACE_BOX
        self.shape = (round((high - low) * _PER_CM), round((right - left) * _PER_CM))
        rows, columns = np.mgrid[: self.shape[0], : self.shape[1]]
        self.x = left + (columns + 0.5) / _PER_CM
        self.y = high - (rows + 0.5) / _PER_CM

    def _texels(self, points: Points) -> npt.NDArray[np.int32]:
        return np.round((face_uv(points) * self.shape[::-1] - 0.5) * 16).astype(np.int32)

    def area(self, outline: Points, blur: float) -> Points:
        """A filled outline with its edge softened by ``blur`` cm."""
        import cv2

        mask = np.zeros(self.shape, np.float32)
        cv2.fillPoly(mask, [self._texels(outline)], 1.0, cv2.LINE_AA, 4)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), blur * _PER_CM), np.float64)

    def lines(self, strokes: list[Points], width: float, blur: float) -> Points:
        """Strokes ``width`` cm wide."""
        import cv2

        mask = np.zeros(self.shape, np.float32)
        for stroke in strokes:
            thick = max(1, round(width * _PER_CM))
            cv2.polylines(mask, [self._texels(stroke)], False, 1.0, thick, cv2.LINE_AA, 4)
        if blur:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), blur * _PER_CM), np.float32)
        return np.asarray(np.clip(mask, 0, 1), np.float64)


def _face(rig: FaceRig, rng: np.random.Generator) -> Points:
    canvas = _Canvas()
    shape, x, y = canvas.shape, canvas.x, canvas.y
    rest = np.asarray((rig.smooth @ rig.rest_control)[:468])
    image = _plain_skin(rng, shape, (1, 1, 1))
    warm = 0.75 * _blob(x, y, (4.6, -0.6), (1.9, 1.6)) + 0.5 * _blob(x, y, (0, -0.9), (1.5, 1.0))
    warm += 0.35 * _blob(x, y, (0, -7.6), (1.8, 1.2))
    image *= 1 - warm[..., None] * (0.02, 0.12, 0.12)
    dusk = 0.8 * _blob(x, y, (2.9, 1.35), (1.5, 0.5)) + 0.7 * _blob(x, y, (1.5, 3.1), (0.6, 0.8))
    dusk += 0.8 * _blob(x, y, (3.1, 3.75), (1.7, 0.35)) + 0.35 * _blob(x, y, (0, -2.7), (0.3, 0.6))
    dusk += 0.5 * _blob(x, y, (0, -5.95), (1.4, 0.25)) + 0.6 * _blob(
        x, y, (2.75, -4.35), (0.3, 0.35)
    )
    image *= 1 - dusk[..., None] * (0.10, 0.16, 0.15)
    image *= 1 - _freckles(rng, x, y)[..., None] * (0.16, 0.26, 0.30)
    nostril = _blob(x, y, (0.78, -1.78), (0.42, 0.16))
    image *= 1 - nostril[..., None] * (0.62, 0.72, 0.72)
    image = _lips(image, canvas, rest, rng)
    for ring in (RIGHT_EYE, LEFT_EYE):
        image = _eye_lines(image, canvas, rest, ring)
    for brow in (RIGHT_BROW, LEFT_BROW):
        hairs = canvas.lines(_brow_hairs(rng, rest[brow]), 0.04, 0.022)
        band = rest[brow[:5] + brow[:4:-1]]
        middle = np.tile((rest[brow[:5]] + rest[brow[5:]]) / 2, (2, 1))
        middle[5:] = middle[4::-1]
        soft = canvas.area(middle + 0.8 * (band - middle), 0.13)
        cover = np.clip(0.62 * hairs + 0.62 * soft, 0, 0.93)
        cover = (cover * (0.15 + 0.85 * smoothstep(1.0, 2.7, np.abs(x))))[..., None]
        image = image * (1 - cover) + _HAIR * 0.66 * cover
    return image


def _freckles(rng: np.random.Generator, x: Points, y: Points) -> Points:
    cover = np.zeros_like(x)
    for _ in range(150):
        at = rng.normal((0, -0.1), (3.0, 0.9))
        radius, depth = rng.uniform(0.035, 0.085), rng.uniform(0.25, 0.85)
        column = int((at[0] - FACE_BOX[0]) * _PER_CM)
        row = int((FACE_BOX[3] - at[1]) * _PER_CM)
        box = np.s_[max(row - 8, 0) : row + 9, max(column - 8, 0) : column + 9]
        away = (x[box] - at[0]) ** 2 + (y[box] - at[1]) ** 2
        cover[box] = np.maximum(cover[box], depth * np.exp(-away / radius**2))
    return cover


def _lips(image: Points, canvas: _Canvas, rest: Points, rng: np.random.Generator) -> Points:
    cover = canvas.area(rest[OUTER], 0.06)
    creases = 0.05 * _noise(rng, canvas.shape, (5, 1.1))
    seam = canvas.lines([rest[INNER[:11]]], 0.08, 0.06)
    middle = rest[INNER, 1].mean()
    tone = 1 + creases - 0.12 * smoothstep(middle, middle + 0.5, canvas.y) - 0.45 * seam
    colour = np.array([0.80, 0.40, 0.385]) * tone[..., None]
    cover = 0.93 * cover[..., None]
    return image * (1 - cover) + colour * cover


def _eye_lines(image: Points, canvas: _Canvas, rest: Points, ring: list[int]) -> Points:
    upper, lower = rest[ring[:7:-1] + ring[:1]], rest[ring[:9]]
    side = np.sign(rest[ring[0], 0])
    flick = upper[-1] + np.array([[0.0, 0, 0], [side * 0.28, 0.14, 0]])
    lash = canvas.lines([upper + np.array([0, 0.04, 0]), flick], 0.13, 0.035)
    crease = canvas.lines([upper[1:-1] + np.array([0, 0.42, 0])], 0.09, 0.06)
    under = canvas.lines([lower - (0, 0.03, 0)], 0.05, 0.03)
    image = image * (1 - 0.40 * crease[..., None] * (0.85, 1, 1))
    image = image * (1 - 0.45 * under[..., None])
    return image * (1 - 0.92 * lash[..., None])


def _brow_hairs(rng: np.random.Generator, brow: Points) -> list[Points]:
    """Short strokes that start in the brow's band and lean to its tail."""
    low, high = brow[:5], brow[5:]
    strokes = []
    for _ in range(420):
        place, level = rng.uniform(0, 4), rng.uniform(0.0, 0.75)
        k = min(int(place), 3)
        a = low[k] + (low[k + 1] - low[k]) * (place - k)
        b = high[k] + (high[k + 1] - high[k]) * (place - k)
        tail = low[0] - low[4]
        tail = tail / np.linalg.norm(tail)
        start = a + (b - a) * level
        lean = 0.26 * tail + np.array([0, 0.16 * (0.9 - level) * (place / 4 + 0.35), 0])
        strokes.append(np.stack([start, start + lean * rng.uniform(0.6, 1.1)]))
    return strokes


def _eye(rng: np.random.Generator) -> Points:
    n = 420
    rows, columns = np.mgrid[:n, :n]
    x, y = (columns + 0.5) / n * 2.6 - 1.3, 1.3 - (rows + 0.5) / n * 2.6
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    white = np.array([0.955, 0.94, 0.93]) * (1 - 0.10 * smoothstep(0.55, 1.2, radius))[..., None]
    white = white * (1 - 0.10 * smoothstep(0.75, 1.2, radius)[..., None] * (0.2, 1, 1))
    rays = np.interp(angle.ravel(), *_fibres(rng, 90)).reshape(n, n)
    edge = 0.43
    inside = radius / edge
    iris = np.array([0.25, 0.47, 0.42]) * (0.85 + 0.55 * inside * rays)[..., None]
    ring = np.exp(-(((inside - 0.45) / 0.16) ** 2))[..., None]
    iris = iris * (1 - 0.5 * ring) + np.array([0.62, 0.45, 0.20]) * 0.5 * ring
    iris *= (1 - 0.68 * smoothstep(0.80, 1.0, inside))[..., None]
    cover = smoothstep(edge + 0.015, edge - 0.015, radius)[..., None]
    pupil = smoothstep(0.175, 0.155, radius)[..., None]
    return (white * (1 - cover) + iris * cover) * (1 - pupil) + 0.03 * pupil


def _fibres(rng: np.random.Generator, count: int) -> tuple[Points, Points]:
    at = np.linspace(-np.pi, np.pi, count)
    value = rng.uniform(0.2, 1.0, count)
    value[-1] = value[0]
    return at, value


def _teeth() -> Points:
    h, w = 64, 480
    rows, columns = np.mgrid[:h, :w]
    angle = ((columns + 0.5) / w - 0.5) * 2.3
    phase = np.abs((angle * 14 / (2 * np.pi) + 0.5) % 1 - 0.5) * 2
    gap = smoothstep(0.86, 1.0, phase)
    gum = smoothstep(0.42, 0.30, rows / h + 0.10 * (1 - phase))
    colour = np.array([0.95, 0.93, 0.88]) * (1 - 0.2 * gap)[..., None]
    return colour * (1 - gum[..., None]) + np.array([0.76, 0.42, 0.42]) * gum[..., None]


def _hair(rng: np.random.Generator) -> Points:
    shape = (512, 512)
    strand = 0.75 * _noise(rng, shape, (60, 1.0)) + 0.55 * _noise(rng, shape, (90, 3.5))
    tone = np.clip(1 + 0.24 * strand, 0.35, 2)
    warm = _noise(rng, shape, (80, 5))[..., None]
    return _HAIR * tone[..., None] * (1 + 0.05 * warm * (1.0, 0.4, -0.5))


def _cloth(rng: np.random.Generator) -> Points:
    h, w = 460, 1040
    rows, columns = np.mgrid[:h, :w]
    # Knit: columns of V-shaped stitches.
    stitch = np.abs((columns / 10.0) % 1 - 0.5) * 2
    wale = np.cos(2 * np.pi * (rows / 8.0 + 0.55 * stitch))
    tone = 1 + 0.10 * wale - 0.16 * smoothstep(0.75, 1.0, stitch)
    tone += 0.03 * _noise(rng, (h, w), (1, 1)) + 0.03 * _noise(rng, (h, w), (30, 30))
    return np.array([0.15, 0.385, 0.44]) * tone[..., None]
