"""``nerf-talker render``: avatar and new speech to a video with sound."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


def run(argv: list[str]) -> int:
    """Render; see ``nerf-talker render --help``."""
    import tyro

    from nerf_talker.drive.speech import render_speech
    from nerf_talker.train.avatar import load_avatar
    from nerf_talker.train.precision import resolve_device

    @dataclass(frozen=True)
    class Arguments:
        """Render an avatar speaking new audio."""

        avatar: tyro.conf.Positional[Path]
        """Avatar file, or the run folder that holds one."""
        audio: Path
        """Speech: any sound or video file."""
        output: Annotated[Path, tyro.conf.arg(aliases=("-o",))]
        """The mp4 to write."""
        mark: bool = True
        """Mark the file as synthetic in its metadata (--no-mark turns it off)."""
        audio_features: str | None = None
        """Source of the speech features where the avatar's come from files of yours:
        hf:FOLDER[:LAYER] or npy:FILE@ROWS_PER_SECOND."""
        quiet: bool = False
        """No progress bar."""

    arguments = tyro.cli(Arguments, args=argv, prog="nerf-talker render")
    quiet = arguments.quiet or not sys.stderr.isatty()
    avatar = load_avatar(arguments.avatar, str(resolve_device("auto")))
    begun = time.perf_counter()
    made = render_speech(
        avatar,
        arguments.audio,
        arguments.output,
        arguments.mark,
        quiet,
        arguments.audio_features,
    )
    seconds = time.perf_counter() - begun
    print(
        f"{made.path}: {made.frames} frames at {made.fps:g} fps in {seconds:.1f} s "
        f"({made.frames / seconds:.1f} frames/s)"
    )
    return 0
