"""What a user may choose about a rendered video besides what moves the avatar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Codec = Literal["auto", "h264", "hevc", "vp9", "prores", "png", "y4m", "raw"]


@dataclass(frozen=True)
class RenderOptions:
    """How driven frames become a file; the defaults give an H.264 video over the clip's own plate.

    Attributes:
        codec: How pictures are coded; ``auto`` goes by the output's name.
        crf: Constant quality, lower is better; None for the codec's own choice.
        bitrate: Bits per second instead of constant quality, as ``4M`` or ``800k``.
        size: Width and height of the pictures in pixels; None for the size of training.
        background: ``plate``, ``transparent``, a colour, a picture or a video.
        paste_back: The original video into which the head is put; None for pictures of the crop.
        dataset: Dataset of that video, whose poses cover frames that the avatar did not keep.
        mark: Say in the file that it is synthetic.
        visible_mark: Say so in the pictures too.
        resume: Keep finished parts when stopped, and go on from those of an earlier call.
    """

    codec: Codec = "auto"
    crf: int | None = None
    bitrate: str | None = None
    size: int | None = None
    background: str = "plate"
    paste_back: Path | None = None
    dataset: Path | None = None
    mark: bool = True
    visible_mark: bool = False
    resume: bool = False

    def read_files(self) -> list[Path | None]:
        """The files that the options name; that of the background may be no file's name."""
        return [Path(self.background), self.paste_back]


PLAIN = RenderOptions()
"""A video of the talker over its own background, nothing else asked for."""
