"""The pictures a report shows: evenly spaced frames and the worst mouth, nothing more in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.evaluate.boxes import crop
from nerf_talker.types import ByteArray, PixelBox

SHOWN = 6
"""Evenly spaced frames in the strip."""

ERROR_GAIN = 4
"""Factor on the absolute difference, so that errors of a few levels show."""


@dataclass(frozen=True)
class Exhibit:
    """One frame of the strip.

    Attributes:
        frame: Frame of the clip.
        truth: (H, W, 3) uint8.
        own: (H, W, 3) uint8.
        head_only: (H, W, 3) uint8.
        mouth: Mouth box of the truth.
        psnr_mouth: dB of ``own`` in it.
    """

    frame: int
    truth: ByteArray
    own: ByteArray
    head_only: ByteArray
    mouth: PixelBox
    psnr_mouth: float

    def error(self) -> ByteArray:
        """(H, W, 3) uint8 absolute difference of own and truth, amplified."""
        difference = np.abs(self.own.astype(np.int32) - self.truth) * ERROR_GAIN
        return np.minimum(difference, 255).astype(np.uint8)

    def mouths(self) -> tuple[ByteArray, ByteArray, ByteArray]:
        """The mouth in truth, own and head-only."""
        return (
            crop(self.truth, self.mouth),
            crop(self.own, self.mouth),
            crop(self.head_only, self.mouth),
        )


class Gallery:
    """Chooses exhibits while frames stream by."""

    def __init__(self, frames: range) -> None:
        spaced = np.linspace(0, len(frames) - 1, min(SHOWN, len(frames)))
        self._wanted = {frames[round(position)] for position in spaced}
        self.spaced: list[Exhibit] = []
        self.worst: Exhibit | None = None

    def consider(self, exhibit: Exhibit) -> None:
        """Keep the frame if it is one of the spaced ones or the worst mouth so far."""
        if exhibit.frame in self._wanted:
            self.spaced.append(exhibit)
        if self.worst is None or exhibit.psnr_mouth < self.worst.psnr_mouth:
            self.worst = exhibit
