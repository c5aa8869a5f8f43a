"""Cuts: where a clip changes to another scene, or jumps within the same one.

A hard cut shows as a jump between neighbouring thumbnails that is large, far above the motion
around it, and does not come back: a flash, a blank or a damaged frame is followed by the same
scene again and is no cut. Where most of the picture stays, something was cut out of one recording
(a splice): background and camera are the same and the clip can be used as a whole, but nothing may
be smoothed across it. Frames are fed one by one; only a second around is kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from nerf_talker.types import ByteArray, FloatArray

THUMBNAIL = 16
# Mean absolute difference of neighbouring thumbnails, of 255. A talking head gives 0.2 to 2, a
# hand before the camera about 10.
_LEAST_JUMP = 12.0
_ABOVE_MOTION = 5.0
# Motion is judged over this long before and after.
_AROUND_SECONDS = 0.5
# What lasts no longer than this is a flash or a damaged frame.
_FLASH_SECONDS = 0.24
# A scene has come back when it is this much closer than the jump was.
_ALIKE = 0.5
# Thumbnails with less spread than this (of 255) show nothing: black, white, one colour.
_BLANK = 4.0
# At a splice at least half of the cells change by less than this, and the pictures still agree.
_KEPT = 9.0
_AGREE = 0.7


@dataclass(frozen=True)
class Cut:
    """A place where two frames in a row do not follow from each other.

    Attributes:
        frame: Index of the first frame of the new scene.
        before: The last thumbnail of the old scene, (16, 16, 3).
        after: The first of the new one.
    """

    frame: int
    before: FloatArray
    after: FloatArray

    @property
    def is_splice(self) -> bool:
        """Whether the scene stays the same and only time was cut out."""
        change = np.abs(self.before - self.after).mean(-1)
        agreement = np.corrcoef(self.before.ravel(), self.after.ravel())[0, 1]
        return bool(np.median(change) < _KEPT and agreement > _AGREE)


class CutFinder:
    """Finds cuts in a stream of thumbnails."""

    def __init__(self, fps: float) -> None:
        """Start a stream of ``fps`` frames per second."""
        self._flash = max(round(_FLASH_SECONDS * fps), 2)
        self._reach = max(round(_AROUND_SECONDS * fps), self._flash)
        self._shots: deque[FloatArray] = deque(maxlen=2 * self._reach + 1)
        self._jumps: deque[float] = deque(maxlen=2 * self._reach + 1)
        self._count = 0
        self._found: list[Cut] = []

    def look(self, thumbnail: ByteArray) -> None:
        """Take the next frame's (16, 16, 3) thumbnail."""
        shot = thumbnail.astype(np.float32)
        self._jumps.append(_apart(self._shots[-1], shot) if self._shots else 0.0)
        self._shots.append(shot)
        self._count += 1
        if self._count > self._reach:
            self._judge(len(self._shots) - 1 - self._reach)

    def cuts(self) -> list[Cut]:
        """All cuts; call once, after the last frame."""
        first = max(len(self._shots) - self._reach, 0)
        for place in range(first, len(self._shots)):
            self._judge(place)
        return without_blanks(self._found)

    def _judge(self, place: int) -> None:
        """Is there a cut before the frame at ``place`` of the kept ones?"""
        jump = self._jumps[place]
        if place == 0 or jump < _LEAST_JUMP:
            return
        around = [other for k, other in enumerate(self._jumps) if k not in (0, place)]
        if around and jump < _ABOVE_MOTION * float(np.median(around)):
            return
        before, after = self._shots[place - 1], self._shots[place]
        later = (self._shots[k] for k in range(place, min(place + self._flash, len(self._shots))))
        earlier = (self._shots[k] for k in range(max(place - self._flash, 0), place))
        if any(_apart(before, shot) < _ALIKE * jump for shot in later):
            return
        if any(_apart(after, shot) < _ALIKE * jump for shot in earlier):
            return
        frame = self._count - len(self._shots) + place
        self._found.append(Cut(frame, before, after))


def without_blanks(cuts: list[Cut]) -> list[Cut]:
    """Drop pairs of cuts to a blank picture and back to the same scene."""
    kept: list[Cut] = []
    for cut in cuts:
        if kept and _is_blank(cut.before) and _is_blank(kept[-1].after):
            jump = _apart(kept[-1].before, kept[-1].after)
            if _apart(kept[-1].before, cut.after) < _ALIKE * jump:
                kept.pop()
                continue
        kept.append(cut)
    return kept


def _is_blank(shot: FloatArray) -> bool:
    return float(shot.std(axis=(0, 1)).max()) < _BLANK


def _apart(first: FloatArray, second: FloatArray) -> float:
    return float(np.abs(first - second).mean())
