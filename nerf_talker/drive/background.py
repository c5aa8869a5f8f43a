"""What stands behind the talker: its own plate, a colour, a picture, a video, or nothing.

The figure (head over torso) comes from the field with its own opacity, premultiplied, so that a new
background is added behind it and never mixed with the old one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from nerf_talker.drive.coding import TRANSPARENT
from nerf_talker.drive.pixels import wide_blur
from nerf_talker.drive.source_clip import SourceClip
from nerf_talker.errors import InputError
from nerf_talker.types import ByteArray, FigureFrame, FloatArray, PortraitFrame

PLATE = "plate"
COLOURS = {
    "black": "#000000",
    "white": "#ffffff",
    "grey": "#808080",
    "gray": "#808080",
    "red": "#ff0000",
    "green": "#00b140",  # of green screens
    "blue": "#0047bb",  # of blue screens
    "magenta": "#ff00ff",
    "cyan": "#00ffff",
    "yellow": "#ffff00",
}
_HEX = re.compile(r"#?([0-9a-fA-F]{6})$")
# A field is never quite empty nor quite solid: opacity outside this range is taken as 0 or 1, so
# that no veil lies over a new background and none of it shines through the face.
CLEAR, SOLID = 0.02, 0.98
# Pixels, of a picture 256 wide, inside the solid figure whose colours the background still tints.
RIM = 2
_LEAST = 1 / 64


class Background(Protocol):
    """Makes the picture of a rendered frame."""

    def picture(self, frame: PortraitFrame, index: int) -> FloatArray | ByteArray:
        """(H, W, 3), or (H, W, 4) with straight alpha; uint8, or float in [0, 1].

        Args:
            frame: As rendered; a :class:`FigureFrame` unless this is the plate.
            index: Its number in the video.
        """


class Plate:
    """The background of the clip, as the talker was trained over it."""

    def picture(self, frame: PortraitFrame, index: int) -> FloatArray:
        """The rendered picture itself."""
        return frame.rgb


@dataclass(frozen=True)
class Still:
    """One colour or one picture: ``behind`` broadcasts to (H, W, 3), float in [0, 1]."""

    behind: FloatArray

    def picture(self, frame: PortraitFrame, index: int) -> FloatArray:
        """The figure over it."""
        return over(figure_of(frame), self.behind)


class Moving:
    """A video that begins anew where it ends, at the rate of what is rendered."""

    def __init__(self, clip: SourceClip, fps: float, size: tuple[int, int], first: int) -> None:
        """Frames of ``clip`` for rendered frames from ``first`` on, cut to (height, width)."""
        self.clip, self.fps, self.size = clip, fps, size
        self._shown: tuple[int, FloatArray] | None = None
        self._pictures = self._from(first)

    def _from(self, first: int) -> Iterator[FloatArray]:
        numbers = (self.clip.nearest(index / self.fps) for index in _count(first))
        for picture in self.clip.forward(number % len(self.clip) for number in numbers):
            yield filled(picture, *self.size)

    def picture(self, frame: PortraitFrame, index: int) -> FloatArray:
        """The figure over the video's next frame."""
        return over(figure_of(frame), next(self._pictures))


class Clear:
    """Nothing: straight alpha."""

    def picture(self, frame: PortraitFrame, index: int) -> FloatArray:
        """(H, W, 4) colour as if the figure were solid, and opacity."""
        return figure_of(frame)


def make_background(given: str, size: tuple[int, int], fps: float, first: int = 0) -> Background:
    """The background that a user names.

    Args:
        given: ``plate``, ``transparent``, a colour (its name or #rrggbb), a picture or a video.
        size: Height and width of the rendered pictures.
        fps: Their rate.
        first: Number of the first frame that will be rendered.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    if given == PLATE:
        return Plate()
    if given == TRANSPARENT:
        return Clear()
    colour = _HEX.match(COLOURS.get(given.lower(), given))
    if colour and not Path(given).is_file():
        parts = [int(colour[1][at : at + 2], 16) / 255 for at in (0, 2, 4)]
        return Still(np.asarray(parts, np.float32))
    path = Path(given)
    if not path.is_file():
        raise InputError(
            f"--background {given}: neither a file nor a colour; give a picture, a video, #rrggbb, "
            f"{PLATE}, {TRANSPARENT} or one of {', '.join(COLOURS)}"
        )
    picture = _still_picture(path)
    if picture is not None:
        return Still(filled(picture, *size))
    return Moving(SourceClip.open(path, "a picture or a video"), fps, size, first)


def _still_picture(path: Path) -> ByteArray | None:
    import cv2

    try:
        content = np.frombuffer(path.read_bytes(), np.uint8) if _is_small(path) else None
        found = None if content is None or not len(content) else cv2.imdecode(content, 1)
    except cv2.error:
        return None
    return None if found is None else np.asarray(found[..., ::-1], np.uint8)


def _is_small(path: Path) -> bool:
    """Whether a file may be a picture: nobody's picture has 200 MB."""
    return path.stat().st_size < 200e6


def filled(picture: ByteArray, height: int, width: int) -> FloatArray:
    """A picture scaled to fill (height, width), what overhangs cut off evenly; in [0, 1]."""
    import cv2

    scale = max(height / picture.shape[0], width / picture.shape[1])
    tall = max(round(picture.shape[0] * scale), height)
    wide = max(round(picture.shape[1] * scale), width)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    fitted = cv2.resize(np.ascontiguousarray(picture), (wide, tall), interpolation=how)
    top, left = (tall - height) // 2, (wide - width) // 2
    return np.asarray(fitted[top : top + height, left : left + width] / 255, np.float32)


def figure_of(frame: PortraitFrame) -> FloatArray:
    """(H, W, 4) straight alpha of a rendered figure, its edge free of the old background.

    Opacity is stretched so that clear is 0 and solid is 1. What the field learned at the edge of
    hair and shoulders is mixed with the background that they were filmed before; there, and beyond,
    the colours of the solid figure nearby go on. So no rim shows on a new background, nor when the
    result is scaled, blurred or halved in chroma.

    Raises:
        ValueError: The frame was rendered without its figure.
    """
    if not isinstance(frame, FigureFrame):
        raise ValueError("the frame was rendered without its figure")
    alpha = frame.figure[..., 3:]
    colour = np.clip(frame.figure[..., :3] / np.maximum(alpha, _LEAST), 0, 1).astype(np.float32)
    wanted = np.clip((alpha - CLEAR) / (SOLID - CLEAR), 0, 1).astype(np.float32)
    return np.concatenate([_spread(colour, wanted[..., 0]), wanted], -1)


def _spread(colour: FloatArray, alpha: FloatArray) -> FloatArray:
    """(H, W, 3) ``colour`` where it is the solid figure's own, and its continuation elsewhere."""
    import cv2

    pixel = max(alpha.shape) / 256
    reach = 2 * round(RIM * pixel) + 1
    inside = cv2.erode(alpha, np.ones((reach, reach), np.uint8), borderType=cv2.BORDER_REPLICATE)
    known = (inside >= 1).astype(np.float32)[..., None]
    given = np.concatenate([colour * known, known], -1).astype(np.float32)
    result, missing = colour * known, 1 - known
    for sigma in (1.5, 6.0, 24.0):
        wide = wide_blur(given, sigma * pixel)
        found = missing * (wide[..., 3:] > 0.02)
        result = result + found * wide[..., :3] / np.maximum(wide[..., 3:], 0.02)
        missing = missing - found
    return np.asarray(result + missing * colour, np.float32)


def over(figure: FloatArray, behind: FloatArray) -> FloatArray:
    """(H, W, 3) straight ``figure`` over a background."""
    alpha = figure[..., 3:]
    return np.asarray(alpha * figure[..., :3] + (1 - alpha) * behind, np.float32)


def _count(first: int) -> Iterator[int]:
    from itertools import count

    return count(first)
