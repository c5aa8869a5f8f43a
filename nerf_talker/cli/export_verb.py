"""``nerf-talker export``: driven motion for other programs."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal


def run(argv: list[str]) -> int:
    """Export; see ``nerf-talker export --help``."""
    import tyro

    from nerf_talker.cli.render_motion import MotionArguments
    from nerf_talker.cli.render_output import refuse_overwriting
    from nerf_talker.drive.export.folder import export_motion
    from nerf_talker.drive.speech import speech_source
    from nerf_talker.train.avatar import load_avatar
    from nerf_talker.train.precision import resolve_device

    @dataclass(frozen=True)
    class Arguments:
        """Write what new speech makes an avatar do as 52 ARKit blendshapes and head poses."""

        avatar: tyro.conf.Positional[Path]
        """Avatar file, or the run folder that holds one."""
        output: Annotated[Path, tyro.conf.arg(aliases=("-o",), metavar="FOLDER")]
        """New folder to write."""
        motion: tyro.conf.OmitArgPrefixes[MotionArguments]
        audio: Path | None = None
        """Speech: any sound or video file."""
        table: Literal["csv", "json"] = "csv"
        """Format of the table of blendshapes and head poses."""
        landmarks: bool = False
        """Write the face's 478 landmarks too (.npy)."""
        mesh: Literal["none", "obj", "ply"] = "none"
        """Write the face as a mesh per frame too."""
        audio_features: str | None = None
        """Source of the speech features where the avatar's come from files of yours:
        hf:FOLDER[:LAYER] or npy:FILE@ROWS_PER_SECOND."""
        quiet: bool = False
        """No progress bar."""

    given = tyro.cli(Arguments, args=argv, prog="nerf-talker export")
    quiet = given.quiet or not sys.stderr.isatty()
    read = (given.avatar, given.audio, *given.motion.read_files())
    refuse_overwriting([given.motion.dump_driving], read)
    avatar = load_avatar(given.avatar, str(resolve_device("auto")))
    with given.motion.sound(given.audio, given.audio_features) as sound:
        source = given.motion.source(
            avatar, lambda: speech_source(avatar, sound, quiet, given.audio_features), sound, quiet
        )
        frames = export_motion(
            avatar, source, given.output, given.table, given.mesh, given.landmarks, quiet
        )
    print(f"{given.output}: {frames} frames at {source.fps:g} fps")
    return 0
