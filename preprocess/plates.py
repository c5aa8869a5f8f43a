"""Helpers of the still layers: which frames to look at, filling unseen pixels, PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerf_talker.data.manifest import contiguous_splits
from nerf_talker.types import BoolArray, ByteArray, FloatArray

# Frames looked at for a still layer; more change the median by less than a grey level.
MOST_FRAMES = 120
# Pictures at the end of the clip that say how it looks last, and the grey levels by which another
# one may differ from them on average: noise and compression.
_LATEST, _ALIKE = 8, 2.0


def training_rows(frames: int) -> range:
    """The frames a still layer may be made from: held-out frames must not show through it."""
    return range(*contiguous_splits(frames)["train"])


def sampled(rows: range, most: int = MOST_FRAMES) -> list[int]:
    """At most ``most`` of the frame numbers ``rows``, spread evenly."""
    picked = np.linspace(rows.start, rows.stop - 1, min(len(rows), most))
    return sorted(set(picked.astype(int).tolist()))


def diffuse(values: FloatArray, known: BoolArray, rounds: int = 60) -> FloatArray:
    """Fill unknown pixels smoothly from all sides (pull-push pyramid, then relaxation).

    Args:
        values: (H, W, C) float.
        known: (H, W) bool, pixels that stay as they are.
        rounds: Relaxation steps at full size, which remove the pyramid's blocks.
    """
    import cv2

    if known.all() or not known.any():
        return values
    weight = known.astype(np.float32)[..., None]
    levels = [(values * weight, weight)]
    # Down to one pixel: a coarsest level with holes would fade to black far from what is known.
    while max(levels[-1][0].shape[:2]) > 1 and (levels[-1][1] == 0).any():
        colour, mass = levels[-1]
        half = ((colour.shape[1] + 1) // 2, (colour.shape[0] + 1) // 2)
        small = cv2.resize(colour, half, interpolation=cv2.INTER_AREA)
        share = cv2.resize(mass, half, interpolation=cv2.INTER_AREA)[..., None]
        scale = np.minimum(1.0, 4 * share) / np.maximum(share, 1e-6)
        levels.append((small.reshape(*share.shape[:2], -1) * scale, np.minimum(1.0, 4 * share)))
    colour, mass = levels[-1]
    filled = colour / np.maximum(mass, 1e-6)
    for colour, mass in reversed(levels[:-1]):
        up = cv2.resize(filled, colour.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        filled = colour + (1 - mass) * up.reshape(colour.shape)
    hole = ~known
    for _ in range(rounds):
        blurred = cv2.blur(filled, (5, 5)).reshape(filled.shape)
        filled = np.where(hole[..., None], blurred, values)
    return np.asarray(filled, np.float32)


def alike_latest(pictures: list[ByteArray], seen: list[BoolArray]) -> list[int]:
    """Which of K pictures in time order look like the last ones where both are seen.

    Args:
        pictures: K times (H, W, 3) uint8.
        seen: K times (H, W) bool, pixels that count.

    Returns:
        Their indices in order; the last pictures are mostly among them.
    """
    latest, count = masked_median(pictures[-_LATEST:], seen[-_LATEST:])
    apart = np.full(len(pictures), np.inf)
    for index, (picture, mask) in enumerate(zip(pictures, seen, strict=True)):
        both = mask & (count > 0)
        if both.any():
            apart[index] = np.abs(picture[both].astype(np.float32) - latest[both]).mean()
    limit = max(1.5 * float(np.median(apart[-_LATEST:])), _ALIKE)
    return np.flatnonzero(apart <= limit).tolist()


def brought_to(plate: ByteArray, wanted: ByteArray, known: BoolArray) -> ByteArray:
    """A plate that looks like ``wanted`` where that is known, and goes over into itself elsewhere.

    The difference of the two is filled smoothly, so that no edge shows where knowledge ends.

    Args:
        plate: (H, W, 3) uint8.
        wanted: (H, W, 3) uint8.
        known: (H, W) bool.
    """
    difference = wanted.astype(np.float32) - plate.astype(np.float32)
    moved = plate + diffuse(difference * known[..., None], known)
    return np.clip(np.round(moved), 0, 255).astype(np.uint8)


def inpaint_smooth(picture: ByteArray, known: BoolArray) -> ByteArray:
    """An (H, W, 3) picture with its unknown pixels filled smoothly."""
    filled = diffuse(picture.astype(np.float32), known)
    return np.clip(np.round(filled), 0, 255).astype(np.uint8)


def save_png(path: Path, picture: ByteArray) -> None:
    """Write an RGB or RGBA picture as PNG.

    Raises:
        OSError: The file cannot be written.
    """
    import cv2

    order = cv2.COLOR_RGB2BGR if picture.shape[-1] == 3 else cv2.COLOR_RGBA2BGRA
    _, content = cv2.imencode(".png", cv2.cvtColor(picture, order))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.tobytes())


def masked_median(pictures: list[ByteArray], seen: list[BoolArray]) -> tuple[ByteArray, FloatArray]:
    """Per-pixel median of K pictures over the frames in which the pixel counts.

    Args:
        pictures: K times (H, W, 3) uint8.
        seen: K times (H, W) bool.

    Returns:
        (H, W, 3) medians, 0 where never seen, and (H, W) how often each pixel was seen.
    """
    height, width = pictures[0].shape[:2]
    result = np.zeros((height, width, 3), np.uint8)
    count = np.sum(seen, axis=0)
    middle = np.maximum(count - 1, 0) // 2
    for row in range(0, height, 32):
        band = slice(row, row + 32)
        values = np.stack([picture[band] for picture in pictures], -1)
        hidden = ~np.stack([mask[band] for mask in seen], -1)
        # Values that do not count sort to the end.
        values[np.repeat(hidden[:, :, None], 3, 2)] = 255
        values.sort(axis=-1)
        chosen = np.broadcast_to(middle[band, :, None, None], (*values.shape[:3], 1))
        result[band] = np.take_along_axis(values, chosen, -1)[..., 0]
    result[count == 0] = 0
    return result, count
