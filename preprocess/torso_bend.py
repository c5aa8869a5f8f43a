"""How the torso bends beyond a similarity: a few modes of displacement on a coarse grid.

Shoulders, collar and neck move against each other. On frames spread over the training range, dense
flow (DIS, Kroeger et al. 2016) from the frame, laid onto the plate by its similarity, to the plate
is averaged on a grid; the grids' principal directions are the modes. Every frame of the clip is
then fitted alike: Gauss-Newton with Huber weights on the difference between frame and bent plate
(Lucas-Kanade with a linear model, Baker and Matthews 2004). In between the plate is made again from
frames whose bend was undone, since a mixture of bent ones is soft at the neck.

What is not torso is painted one flat tone in both pictures, so that the outline of the shoulders
counts and a moving background does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nerf_talker.data.labels import is_head, is_torso
from nerf_talker.geometry.rotation import Array
from nerf_talker.preprocess.torso_motion import steady
from nerf_talker.types import TORSO_GRID, TORSO_MODES, BoolArray, ByteArray, FloatArray

# Pictures are compared at no more than this width.
_WIDTH = 256
# Grey levels between the torso's middle tone and the flat tone around it.
_CONTRAST = 64.0
_BLUR = 0.7  # pixels, so that the plate's slopes reach as far as it may be misplaced
# Pull of grid points on their neighbours, in cells fully seen.
_STIFFNESS = 0.02
# Grids with larger displacements than this share of all are left out of the modes.
_TRUSTED = 0.98
_STEPS, _HUBER, _RIDGE = 4, 12.0, 0.003
_FEWEST_PIXELS = 100
_UNDOINGS = 4
_EDGE = 1  # OpenCV's BORDER_REPLICATE
# Every so many pixels along both axes are compared.
_STRIDE = 2


@dataclass(frozen=True)
class PlateTones:
    """The plate as frames are compared with it.

    Attributes:
        grey: (S, S) float32, the flat tone where the plate is clear.
        tone: The flat tone.
    """

    grey: FloatArray
    tone: float

    @classmethod
    def of(cls, plate: ByteArray) -> PlateTones:
        """Of an (H, H, 4) RGBA plate."""
        import cv2

        size = min(len(plate), _WIDTH)
        small = cv2.resize(plate, (size, size), interpolation=cv2.INTER_AREA)
        alpha = small[..., 3].astype(np.float32) / 255
        grey = cv2.cvtColor(small[..., :3], cv2.COLOR_RGB2GRAY).astype(np.float32)
        middle = float(np.median(grey[alpha > 0.9])) if (alpha > 0.9).any() else 0.0
        tone = middle + (_CONTRAST if middle < 128 else -_CONTRAST)
        return cls(_blurred(grey * alpha + tone * (1 - alpha)), tone)

    def laid(
        self, grey: ByteArray, labels: ByteArray, matrix: Array
    ) -> tuple[FloatArray, BoolArray]:
        """A frame laid onto the plate.

        Args:
            grey: (H, H) picture.
            labels: (H, H) its classes.
            matrix: (2, 3) plate-to-frame similarity in OpenCV's pixels of the frame.

        Returns:
            (S, S) tones, and where they count: torso and a little around it, away from the head.
        """
        import cv2

        size, scale = len(self.grey), len(self.grey) / len(grey)
        body = is_torso(labels).astype(np.float32)
        toned = grey * body + self.tone * (1 - body)
        reach = np.ones((5, 5), np.uint8)
        head = cv2.dilate(is_head(labels).astype(np.uint8), np.ones((3, 3), np.uint8))
        around = cv2.dilate(body.astype(np.uint8), reach) * (1 - head)
        layers = []
        for layer in (toned, around.astype(np.float32)):
            small = cv2.resize(layer, (size, size), interpolation=cv2.INTER_AREA)
            shift = scale * (matrix[:, 2] + 0.5 - matrix[:, :2].sum(-1) * 0.5)
            smaller = np.c_[matrix[:, :2], shift - 0.5 + matrix[:, :2].sum(-1) * 0.5]
            flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
            warped = cv2.warpAffine(small, smaller, (size, size), flags=flags, borderMode=_EDGE)
            layers.append(warped)
        return _blurred(layers[0]), layers[1] > 0.98


def displacement_grid(plate: PlateTones, tones: FloatArray, counts: BoolArray) -> FloatArray:
    """(G, G, 2) mean flow from a frame laid onto the plate to the plate, in image widths.

    Grid points that see little are carried by their neighbours.
    """
    import cv2

    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    shown = np.where(counts, tones, plate.grey)
    start, end = (np.clip(np.round(x), 0, 255).astype(np.uint8) for x in (shown, plate.grey))
    nothing = np.zeros((*tones.shape, 2), np.float32)
    moved = np.asarray(flow.calc(start, end, nothing)) / len(tones)
    hats = _hats(len(tones))
    cell = (len(tones) / (TORSO_GRID - 1)) ** 2
    mass = hats @ counts @ hats.T / cell
    pull = np.stack([hats @ (counts * moved[..., k]) @ hats.T / cell for k in (0, 1)], -1)
    system = np.diag(mass.ravel() + 1e-4) + _STIFFNESS * _neighbours()
    solved = np.linalg.solve(system, pull.reshape(-1, 2))
    return solved.reshape(TORSO_GRID, TORSO_GRID, 2).astype(np.float32)


def _hats(size: int) -> Array:
    """(G, S) bilinear weights of the pixels at the grid points along one axis."""
    place = (np.arange(size) + 0.5) / size * (TORSO_GRID - 1)
    return np.clip(1 - np.abs(place[None] - np.arange(TORSO_GRID)[:, None]), 0, 1)


def _neighbours() -> Array:
    """(G * G, G * G) Laplacian of the grid."""
    line = np.diff(np.eye(TORSO_GRID), axis=0)
    along = line.T @ line
    return np.kron(along, np.eye(TORSO_GRID)) + np.kron(np.eye(TORSO_GRID), along)


def learn_bend(
    plate: PlateTones, frames: Iterable[tuple[ByteArray, ByteArray, Array]]
) -> tuple[FloatArray, Array]:
    """The modes of R frames that need not follow each other, and how far each is bent.

    Args:
        plate: What to bend.
        frames: Grey picture, labels, (H, H) uint8 each, and (2, 3) similarity of every frame.

    Returns:
        (K, G, G, 2) modes and (R, K) coefficients.
    """
    laid = [plate.laid(*frame) for frame in frames]
    grids = [displacement_grid(plate, *one) for one in laid]
    modes = bend_modes(grids)
    fit, size = _BendFit(plate, modes), np.maximum((modes**2).sum((1, 2, 3)), 1e-12)
    starts = [(modes * grid).sum((1, 2, 3)) / size for grid in grids]
    return modes, np.stack([fit(*one, start) for one, start in zip(laid, starts, strict=True)])


def plate_map(matrix: Array, modes: FloatArray, bend: Array, size: int) -> FloatArray:
    """(2, S, S) x, y in OpenCV's pixels of a frame where each pixel of the plate is seen.

    Args:
        matrix: (2, 3) plate-to-frame similarity in OpenCV's pixels.
        modes: (K, G, G, 2) displacements from frame to plate, laid onto the plate, image widths.
        bend: (K,) coefficients.
        size: S.
    """
    hats = _hats(size)
    shift = np.einsum("k,kghc,gr,hs->rsc", bend, modes, hats, hats, optimize=True) * size
    shift = shift.astype(np.float32)
    place = np.stack(np.meshgrid(*[np.arange(size, dtype=np.float32)] * 2), -1)
    back = -shift
    for _ in range(_UNDOINGS):  # the displacement is known at the frame's end of the way
        back = -_looked_up(shift, *np.moveaxis(place + back, -1, 0))
    seen = (place + back) @ matrix[:, :2].T + matrix[:, 2]
    return np.ascontiguousarray(np.moveaxis(seen, -1, 0), np.float32)


def _looked_up(layer: Array, x: Array, y: Array) -> FloatArray:
    """A picture at (R, C) pixels x and y; its edge goes on outside it."""
    import cv2

    across, down = (np.ascontiguousarray(axis, np.float32) for axis in (x, y))
    shown = cv2.remap(layer, across, down, cv2.INTER_LINEAR, borderMode=_EDGE)
    return np.asarray(shown, np.float32)


def _blurred(picture: Array) -> FloatArray:
    import cv2

    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _BLUR), np.float32)


def bend_modes(grids: Sequence[FloatArray]) -> FloatArray:
    """(K, G, G, 2) modes of (G, G, 2) grids, scaled so that their coefficients spread by one."""
    flat = np.stack(grids).reshape(len(grids), -1).astype(np.float64)
    size = np.linalg.norm(flat, axis=1)
    trusted = flat[size <= np.quantile(size, _TRUSTED)]
    _, strength, directions = np.linalg.svd(trusted, full_matrices=False)
    modes = np.zeros((TORSO_MODES, flat.shape[1]))
    known = min(TORSO_MODES, len(strength))
    spread = strength[:known] / np.sqrt(len(trusted))
    modes[:known] = directions[:known] * spread[:, None]
    return modes.reshape(TORSO_MODES, TORSO_GRID, TORSO_GRID, 2).astype(np.float32)


def still_bend(frames: int) -> tuple[FloatArray, FloatArray]:
    """Modes and coefficients of a torso that does not bend in any of ``frames`` frames."""
    modes = np.zeros((TORSO_MODES, TORSO_GRID, TORSO_GRID, 2), np.float32)
    return modes, np.zeros((frames, TORSO_MODES), np.float32)


def follow_bend(
    plate: PlateTones,
    modes: FloatArray,
    frames: Iterable[tuple[ByteArray, ByteArray]],
    matrices: Array,
    splices: Sequence[int] = (),
) -> FloatArray:
    """Coefficients of the modes in every frame, each started at the frame before it.

    Args:
        plate: What to bend.
        modes: (K, G, G, 2) displacements from frame to plate, laid onto the plate, image widths.
        frames: Grey picture and labels, (H, H) uint8 each, of every frame in order.
        matrices: (F, 2, 3) plate-to-frame similarities in OpenCV's pixels.
        splices: Frames before which time was cut out: nothing is steadied across them.

    Returns:
        (F, K) float32.
    """
    fit = _BendFit(plate, modes)
    found, last = [], np.zeros(len(modes))
    for (grey, labels), matrix in zip(frames, matrices, strict=True):
        last = fit(*plate.laid(grey, labels, matrix), last)
        found.append(last)
    return steady(np.stack(found), splices).astype(np.float32)


class _BendFit:
    """Finds the coefficients that bring the bent plate onto one frame."""

    def __init__(self, plate: PlateTones, modes: FloatArray) -> None:
        import cv2

        size = len(plate.grey)
        self.grey = plate.grey
        self.slopes = [
            cv2.Sobel(plate.grey, cv2.CV_32F, *axes, scale=size / 8) for axes in ((1, 0), (0, 1))
        ]
        hats = _hats(size)[:, ::_STRIDE]
        self.modes = np.einsum("kghc,gr,hs->rskc", modes, hats, hats).astype(np.float32)

    def __call__(self, tones: FloatArray, counts: BoolArray, start: Array) -> Array:
        rows, columns = np.nonzero(counts[::_STRIDE, ::_STRIDE])
        if len(rows) < _FEWEST_PIXELS:
            return start
        wanted = tones[::_STRIDE, ::_STRIDE][rows, columns]
        modes = self.modes[rows, columns]
        found = start
        for _ in range(_STEPS):
            shift = np.einsum("pkc,k->pc", modes, found) * len(self.grey)
            place = (columns * _STRIDE + shift[:, 0], rows * _STRIDE + shift[:, 1])
            x, y = (axis[None] for axis in place)  # one row of pixels
            layers = (self.grey, *self.slopes)
            shown, across, down = (_looked_up(layer, x, y)[0] for layer in layers)
            slope = modes[..., 0] * across[:, None] + modes[..., 1] * down[:, None]
            left = wanted - shown
            weighted = slope / np.maximum(1, np.abs(left) / _HUBER)[:, None]
            system = weighted.T @ slope
            ridge = _RIDGE * np.trace(system) / len(found) + 1e-6
            right = weighted.T @ left - ridge * found
            found = found + np.linalg.solve(system + ridge * np.eye(len(found)), right)
        return found
