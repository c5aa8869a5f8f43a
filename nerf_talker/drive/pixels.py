"""Pictures as bytes, and how their colours are coded in a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nerf_talker.errors import AvatarError
from nerf_talker.types import ByteArray, FloatArray

# Code points of ITU-T H.273.
BT709, UNSPECIFIED, LIMITED = 1, 2, 1
# swscale's matrices by those code points; what says nothing is taken as BT.601, as swscale does.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}


@dataclass(frozen=True)
class ColourTags:
    """How a video says its colours are coded, in the code points of ITU-T H.273.

    Attributes:
        matrix: From RGB to luma and chroma.
        primaries: Of the three colours.
        curve: From light to numbers.
        range: 1 limited, 2 full, 0 unsaid (limited).
    """

    matrix: int = BT709
    primaries: int = BT709
    curve: int = BT709
    range: int = LIMITED

    @classmethod
    def of(cls, stream: Any) -> ColourTags:
        """Those of a decoded PyAV stream."""
        context = stream.codec_context
        return cls(
            int(context.colorspace),
            int(context.color_primaries),
            int(context.color_trc),
            int(context.color_range),
        )

    def write_to(self, stream: Any) -> None:
        """Say them in an encoder's stream."""
        context = stream.codec_context
        context.colorspace, context.color_range = self.matrix, self.range or LIMITED
        context.color_primaries, context.color_trc = self.primaries, self.curve

    @property
    def swscale(self) -> tuple[int, int]:
        """Matrix and range as PyAV's reformatter takes them."""
        return _MATRICES.get(self.matrix, 5), self.range or LIMITED


STANDARD = ColourTags()
"""BT.709 in limited range, what players expect of a video."""


def bytes_of(picture: FloatArray | ByteArray, frame: int) -> ByteArray:
    """(H, W, C) float in [0, 1] as uint8; what is uint8 stays as it is.

    Raises:
        AvatarError: The picture holds a value that is not a finite number.
    """
    if picture.dtype == np.uint8:
        return np.asarray(picture, np.uint8)
    values = np.asarray(picture, np.float32)
    if not np.isfinite(values).all():
        raise AvatarError(f"frame {frame} of the rendering is not finite; train again")
    return np.asarray(np.round(np.clip(values, 0, 1) * 255), np.uint8)


def video_frame(picture: ByteArray, pixels: str, tags: ColourTags) -> Any:
    """PyAV's frame of an (H, W, 3) RGB or (H, W, 4) RGBA picture, in an encoder's pixel format."""
    import av

    # Chroma planes halve both axes: an odd edge is repeated once.
    odd = ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0))
    even = np.ascontiguousarray(np.pad(picture, odd, "edge"))
    matrix, extent = tags.swscale
    frame = av.VideoFrame.from_ndarray(even, format="rgba" if even.shape[2] == 4 else "rgb24")
    return frame.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=extent)


def wide_blur(picture: FloatArray, sigma: float) -> FloatArray:
    """(H, W, C) Gaussian blur of any width at the cost of a narrow one: on a smaller picture."""
    import cv2

    height, width = picture.shape[:2]
    shrink = max(sigma / 1.5, 1.0)
    if shrink >= 2:
        size = (max(round(width / shrink), 1), max(round(height / shrink), 1))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
        return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma))
