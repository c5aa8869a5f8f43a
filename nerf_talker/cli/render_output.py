"""The options of ``nerf-talker render`` that say how frames become a file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nerf_talker.drive.options import Codec, RenderOptions


@dataclass(frozen=True)
class OutputArguments:
    """How frames become a file."""

    codec: Codec = "auto"
    """How pictures are coded; auto goes by the output's name."""
    crf: int | None = None
    """Constant quality, lower is better; default 16 for H.264, 18 for HEVC, 20 for VP9."""
    bitrate: str | None = None
    """Bits per second instead of constant quality, as 4M or 800k."""
    size: int | None = None
    """Width of the pictures in pixels; default is the size of training, four times it at most."""
    background: str = "plate"
    """plate (the clip's own), transparent, a colour (#rrggbb or a name), a picture or a video."""
    paste_back: Path | None = None
    """The avatar's original video: put the head back into its full pictures, at their rate."""
    dataset: Path | None = None
    """Dataset made of that video, to use all its frames and not only those of training."""
    mark: bool = True
    """Say in the file's metadata that it is synthetic (--no-mark turns it off)."""
    visible_mark: bool = False
    """Write SYNTHETIC into a corner of the pictures too."""
    resume: bool = False
    """Keep finished parts when stopped or killed, and go on from those of an earlier call."""

    def options(self) -> RenderOptions:
        """The same for the library."""
        return RenderOptions(**vars(self))


def refuse_overwriting(written: Iterable[Path | None], read: Iterable[Path | None]) -> None:
    """Refuse to put what is made in the place of a file that it is made of.

    Args:
        written: Files to write; None for those that are not wanted.
        read: Files to read, or an avatar's run folder; likewise, and so for names that are no
            file's.

    Raises:
        InputError: A file is in both.
    """
    from nerf_talker.errors import InputError
    from nerf_talker.train.run_folder import RunFolder

    named = [RunFolder(path).avatar if path.is_dir() else path for path in read if path is not None]
    given = {path.resolve() for path in named if path.is_file()}
    for made in written:
        if made is not None and made.resolve() in given:
            raise InputError(f"{made}: is one of the files to read; write to another one")
