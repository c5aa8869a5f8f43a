"""``nerf-talker render``: avatar and new speech to a video with sound."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


def run(argv: list[str]) -> int:
    """Render; see ``nerf-talker render --help``."""
    import tyro

    from nerf_talker.cli.render_motion import MotionArguments
    from nerf_talker.cli.render_output import OutputArguments, refuse_overwriting
    from nerf_talker.drive.coding import STANDARD_OUTPUT, chosen_codec
    from nerf_talker.drive.speech import pasted_rate, render_source, speech_source
    from nerf_talker.train.avatar import load_avatar
    from nerf_talker.train.precision import resolve_device

    @dataclass(frozen=True)
    class Arguments:
        """Render an avatar speaking new audio."""

        avatar: tyro.conf.Positional[Path]
        """Avatar file, or the run folder that holds one."""
        output: Annotated[str, tyro.conf.arg(aliases=("-o",))]
        """What to write: a .mp4, .mov, .mkv or .webm, a folder for PNG files (name ending in /),
        or - for frames on standard output (YUV4MPEG2, or RGB bytes with --codec raw)."""
        file: tyro.conf.OmitArgPrefixes[OutputArguments]
        motion: tyro.conf.OmitArgPrefixes[MotionArguments]
        audio: Path | None = None
        """Speech: any sound or video file."""
        audio_features: str | None = None
        """Source of the speech features where the avatar's come from files of yours:
        hf:FOLDER[:LAYER] or npy:FILE@ROWS_PER_SECOND."""
        quiet: bool = False
        """No progress bar."""

    arguments = tyro.cli(Arguments, args=argv, prog="nerf-talker render")
    quiet = arguments.quiet or not sys.stderr.isatty()
    options, motion = arguments.file.options(), arguments.motion
    refuse_overwriting(
        (Path(arguments.output), motion.dump_driving),
        (arguments.avatar, arguments.audio, *options.read_files(), *motion.read_files()),
    )
    avatar = load_avatar(arguments.avatar, str(resolve_device("auto")))
    begun = time.perf_counter()
    chosen_codec(arguments.output, options)  # what cannot be written is said at once
    fps = pasted_rate(options)
    with motion.sound(arguments.audio, arguments.audio_features) as speech:
        source = motion.source(
            avatar,
            lambda: speech_source(avatar, speech, quiet, arguments.audio_features, fps),
            speech,
            quiet,
            is_pasted=options.paste_back is not None,
        )
        made = render_source(avatar, source, speech, arguments.output, options.mark, quiet, options)
    seconds = time.perf_counter() - begun
    rendered = made.frames - made.resumed
    earlier = f" ({made.resumed} were there)" if made.resumed else ""
    print(
        f"{made.path}: {made.frames} frames{earlier} at {made.fps:g} fps in {seconds:.1f} s "
        f"({rendered / seconds:.1f} frames/s)",
        file=sys.stderr if arguments.output == STANDARD_OUTPUT else sys.stdout,
    )
    return 0
