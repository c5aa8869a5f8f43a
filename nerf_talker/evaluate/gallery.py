"""The pictures a report shows: evenly spaced frames, the worst ones, and the mouth over time.

Chosen while frames stream by; nothing more stays in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.evaluate.boxes import crop
from nerf_talker.types import ByteArray, PixelBox

SHOWN = 6
"""Evenly spaced frames in the strip."""

WORST = 4
"""Worst moments; two of them never lie within :data:`MOMENT` frames of each other."""

MOMENT = 12

MOUTHS = 24
"""Mouths in the filmstrip."""

MOUTH_SIZE = (72, 48)
"""Width and height in pixels of a mouth in the filmstrip."""

ERROR_GAIN = 4
"""Factor on the absolute difference, so that errors of a few levels show."""


@dataclass(frozen=True)
class Exhibit:
    """One frame of the strip.

    Attributes:
        frame: Frame of the clip.
        truth: (H, W, 3) uint8.
        own: (H, W, 3) uint8.
        head_only: (H, W, 3) uint8, None where there is no head layer.
        mouth: Mouth box of the truth, None without a face.
        score: dB of ``own`` in the mouth box, or in the frame without one.
    """

    frame: int
    truth: ByteArray
    own: ByteArray
    head_only: ByteArray | None
    mouth: PixelBox | None
    score: float

    def error(self) -> ByteArray:
        """(H, W, 3) uint8 heat map of the absolute difference of own and truth, amplified."""
        return heat(self.own, self.truth)

    def mouths(self) -> list[ByteArray]:
        """The mouth in truth, own and head-only, none without a face."""
        pictures = (self.truth, self.own, self.head_only)
        box = self.mouth
        return [] if box is None else [crop(p, box) for p in pictures if p is not None]


@dataclass(frozen=True)
class MouthPair:
    """One column of the filmstrip: frame, and small (h, w, 3) mouths of truth and own."""

    frame: int
    truth: ByteArray
    own: ByteArray


class Gallery:
    """Chooses exhibits while frames stream by."""

    def __init__(self, frames: range) -> None:
        self._wanted = _spaced(frames, SHOWN)
        self._mouths = _spaced(frames, MOUTHS)
        self._worst: dict[int, Exhibit] = {}
        self.spaced: list[Exhibit] = []
        self.mouths: list[MouthPair] = []

    @property
    def worst(self) -> list[Exhibit]:
        """The worst moments, worst first."""
        return sorted(self._worst.values(), key=lambda exhibit: exhibit.score)

    def consider(self, exhibit: Exhibit) -> None:
        """Keep the frame where it is one of the spaced ones or among the worst so far."""
        if exhibit.frame in self._wanted:
            self.spaced.append(exhibit)
        if exhibit.frame in self._mouths and exhibit.mouth is not None:
            small = [_small(crop(p, exhibit.mouth)) for p in (exhibit.truth, exhibit.own)]
            self.mouths.append(MouthPair(exhibit.frame, *small))
        self._consider_worst(exhibit)

    def _consider_worst(self, exhibit: Exhibit) -> None:
        close = [k for k in self._worst if exhibit.frame - k < MOMENT]
        if any(self._worst[k].score <= exhibit.score for k in close):
            return
        for k in close:
            del self._worst[k]
        self._worst[exhibit.frame] = exhibit
        if len(self._worst) > WORST:
            del self._worst[max(self._worst, key=lambda k: self._worst[k].score)]


def heat(predicted: ByteArray, truth: ByteArray) -> ByteArray:
    """(H, W, 3) uint8 colours of the amplified mean absolute difference of the channels."""
    import cv2

    difference = np.abs(predicted.astype(np.int16) - truth).mean(-1) * ERROR_GAIN
    level = np.minimum(difference, 255).astype(np.uint8)
    colours = cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGR2RGB), np.uint8)


def _spaced(frames: range, count: int) -> set[int]:
    positions = np.linspace(0, len(frames) - 1, min(count, len(frames)))
    return {frames[round(position)] for position in positions}


def _small(mouth: ByteArray) -> ByteArray:
    import cv2

    return np.asarray(cv2.resize(mouth, MOUTH_SIZE, interpolation=cv2.INTER_AREA), np.uint8)
