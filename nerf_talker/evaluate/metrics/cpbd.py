"""Cumulative probability of blur detection, after Narvekar and Karam (2011).

Definition: over the 64x64 blocks in which more than 0.2 % of the pixels are upright edges, each
edge of width w is seen as blurred with probability 1 - exp(-(w / w_jnb)^3.6), where w_jnb is 5
pixels in a block of contrast up to 50 levels and 3 above; the figure is the share of edges whose
probability, rounded to 0.01, is at most 0.63. In [0, 1]; higher is sharper. No reference is needed,
so noise raises it: read it beside the truth's own.

Variant: ours. An edge is a pixel where the Sobel derivative across is larger than the one down,
peaks along the row, and exceeds :data:`EDGE` levels per pixel; its width is the length of the
monotone run of luma through it (Marziliano et al., 2002).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.types import BoolArray, ByteArray

BLOCK = 64
EDGE = 6.0
"""Levels per pixel below which a slope is shading or noise."""
EDGE_SHARE = 0.002
BETA = 3.6
SEEN_SHARP = 0.63
LOW_CONTRAST, WIDE, NARROW = 50, 5.0, 3.0


def cpbd(picture: ByteArray) -> float:
    """CPBD of an (H, W, 3) uint8 picture; NaN when no block holds an edge."""
    import cv2

    luma = np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), np.uint8)
    edges = _upright_edges(luma)
    widths = _widths(luma.astype(np.int16))
    sharp = total = 0
    for top in range(0, luma.shape[0] - BLOCK + 1, BLOCK):
        for left in range(0, luma.shape[1] - BLOCK + 1, BLOCK):
            block = np.s_[top : top + BLOCK, left : left + BLOCK]
            found = widths[block][edges[block]]
            if len(found) <= EDGE_SHARE * BLOCK * BLOCK:
                continue
            contrast = int(luma[block].max()) - int(luma[block].min())
            just_seen = WIDE if contrast <= LOW_CONTRAST else NARROW
            blurred = 1 - np.exp(-((found / just_seen) ** BETA))
            sharp += int((np.round(blurred, 2) <= SEEN_SHARP).sum())
            total += len(found)
    return sharp / total if total else float("nan")


def _upright_edges(luma: ByteArray) -> BoolArray:
    """(H, W) where the slope across peaks along its row and beats the slope down."""
    import cv2

    across = np.abs(cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=1 / 8))
    down = np.abs(cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=1 / 8))
    before = np.pad(across[:, :-1], ((0, 0), (1, 0)))
    after = np.pad(across[:, 1:], ((0, 0), (0, 1)))
    return np.asarray(
        (across > EDGE) & (across > down) & (across > before) & (across >= after), np.bool_
    )


def _widths(luma: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """(H, W) length in pixels of the longer monotone run of luma along the row through a pixel."""
    step = np.diff(luma, axis=1)
    rising, falling = _run_length(step > 0), _run_length(step < 0)
    return np.maximum(rising, falling)


def _run_length(flags: BoolArray) -> npt.NDArray[np.float64]:
    """(H, W) for each pixel the unbroken true steps that end at it plus those that start at it.

    Args:
        flags: (H, W - 1), step k leads from pixel k to pixel k + 1.
    """
    height, steps = flags.shape
    at = np.arange(1, steps + 1)
    ended = at - np.maximum.accumulate(np.where(flags, 0, at), axis=1)
    backwards = flags[:, ::-1]
    begun = (at - np.maximum.accumulate(np.where(backwards, 0, at), axis=1))[:, ::-1]
    nothing = np.zeros((height, 1))
    return np.concatenate([nothing, ended], 1) + np.concatenate([begun, nothing], 1)
