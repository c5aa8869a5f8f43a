"""The rendered head put back into the full original picture.

Inside a soft mask around the head, as rendered and as filmed, the whole rendered picture (head over
torso over background) replaces the filmed one, so that a chin lower than today's leaves nothing
behind. Outside the mask not one value changes. Between both, colours are matched where they meet.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nerf_talker.drive.original import Original
from nerf_talker.drive.pixels import wide_blur
from nerf_talker.types import ByteArray, FloatArray, PortraitFrame

# In widths of the crop: how far the mask goes on around the head, over what it fades, and how
# much further down where nobody knows how wide the filmed mouth was open.
GROWN, FADING, CHIN = 0.02, 0.07, 0.05
# Width over which colours that meet at the mask's border are matched, in widths of the crop.
MATCHED = 0.1
# Grey levels per pixel of the original by which the change may grow from the mask's border inwards.
STEEPEST = 1.3
# Grey levels; where the pictures differ by much more, they show different things.
_ALIKE = 40.0


class PasteBack:
    """Makes full pictures of rendered ones; a :class:`nerf_talker.drive.background.Background`."""

    def __init__(self, original: Original, frames: int, first: int = 0) -> None:
        """Paste rendered frames ``first`` to ``frames`` into the original's."""
        self.original, self.first = original, first
        self.numbers = original.walk(first, frames)
        self._pictures: Iterator[ByteArray] = original.clip.walk(self.numbers)

    def picture(self, frame: PortraitFrame, index: int) -> ByteArray:
        """The (H, W, 3) original with the head of a rendered frame in it.

        Args:
            frame: As rendered.
            index: Its number in the video; one after the other.
        """
        filmed = next(self._pictures)
        rows, columns = window = self.original.window
        height, width = filmed.shape[:2]
        inner = (columns.start > 0, rows.start > 0, columns.stop < width, rows.stop < height)
        matte = self._matte(self.numbers[index - self.first], frame.head_opacity)
        mask = soft_mask(matte, inner)
        result = filmed.copy()
        result[window] = blended(np.asarray(filmed[window]), frame.rgb, mask)
        return result

    def _matte(self, number: int, rendered: FloatArray) -> FloatArray:
        """(h, w) where there is a head, rendered or filmed."""
        import cv2

        height, width = rendered.shape
        mattes = self.original.head_alpha
        if mattes is None:
            down = max(round(CHIN * width), 1)
            kernel = np.zeros((2 * down + 1, 1), np.uint8)
            kernel[down:] = 1
            return np.asarray(cv2.dilate(rendered, np.flip(kernel).copy()), np.float32)
        place = round(float(self.original.places([number])[0]))
        filmed = cv2.resize(mattes[place], (width, height), interpolation=cv2.INTER_AREA)
        return np.maximum(rendered, filmed.astype(np.float32) / 255)


def soft_mask(matte: FloatArray, inner: tuple[bool, bool, bool, bool]) -> FloatArray:
    """(h, w) share of the rendered picture: 1 on the head and closely around it, fading to 0.

    Args:
        matte: (h, w) where there is a head.
        inner: Whether the left, upper, right and lower side of the crop lie within the original,
            so that the mask must have faded there.
    """
    import cv2

    height, width = matte.shape
    grown, fading = max(GROWN * width, 1.0), max(FADING * width, 3.0)
    outside = (matte < 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if outside.all():
        return np.zeros_like(matte)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    share = (grown + fading - distance) / fading
    sides = (columns, rows, width - 1 - columns, height - 1 - rows)
    for is_inner, away in zip(inner, sides, strict=True):
        if is_inner:
            share = np.minimum(share, away / fading)
    share = np.clip(share, 0, 1)
    # Perlin's quintic: no slope at either end, so that no border shows.
    return np.asarray(share**3 * (share * (6 * share - 15) + 10), np.float32)


def blended(filmed: ByteArray, rendered: FloatArray, mask: FloatArray) -> ByteArray:
    """(s, s, 3) filmed crop with the rendered picture inside the mask.

    Args:
        filmed: (s, s, 3) uint8.
        rendered: (h, w, 3) float in [0, 1].
        mask: (h, w) share of the rendered picture.
    """
    import cv2

    side, width = filmed.shape[0], rendered.shape[1]
    small = cv2.resize(filmed, (width, rendered.shape[0]), interpolation=_how(width, side))
    matched = rendered * 255 + _difference(small.astype(np.float32) - rendered * 255, mask)
    large = cv2.resize(matched, (side, side), interpolation=_how(side, width))
    share = cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR)
    inside = (share > 0).astype(np.uint8)
    away = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    most = (STEEPEST * away + away**2 / 8)[..., None]
    change = np.clip(share[..., None] * (large - filmed), -most, most)
    changed = np.round(np.clip(filmed + change, 0, 255)).astype(np.uint8)
    return np.where(inside[..., None] > 0, changed, filmed)


def _how(wanted: int, given: int) -> int:
    import cv2

    return cv2.INTER_AREA if wanted < given else cv2.INTER_CUBIC


def _difference(found: FloatArray, mask: FloatArray) -> FloatArray:
    """(h, w, 3) smooth continuation of a difference known where the mask fades."""
    unlike = np.abs(found).max(-1, keepdims=True) / _ALIKE
    weight = (mask * (1 - mask))[..., None] * np.exp(-(unlike**2))
    known = np.concatenate([found * weight, weight], -1).astype(np.float32)
    wide = wide_blur(known, MATCHED * mask.shape[1])
    return np.asarray(wide[..., :3] / (wide[..., 3:] + 1e-4), np.float32)
