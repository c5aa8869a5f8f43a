"""Opening what takes the pictures of a rendering, by the output's name and the options."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from nerf_talker.drive.coding import STANDARD_OUTPUT, chosen_codec, video_coding
from nerf_talker.drive.options import RenderOptions
from nerf_talker.drive.pixels import STANDARD, ColourTags
from nerf_talker.drive.provenance import provenance_of
from nerf_talker.drive.sinks import FrameSink, PngFolder, RawFrames
from nerf_talker.drive.source import DrivingSource
from nerf_talker.drive.video import SpeechVideo
from nerf_talker.errors import ConfigError
from nerf_talker.train.avatar import Avatar


def open_sink(
    avatar: Avatar,
    source: DrivingSource,
    sound: Path,
    out: str | Path,
    options: RenderOptions,
    tags: ColourTags = STANDARD,
    uneven: Callable[[int], float] | None = None,
) -> FrameSink:
    """What takes the pictures.

    Args:
        avatar: Whose pictures.
        source: What moves it.
        sound: Any container with a sound track.
        out: What to write.
        options: How.
        tags: How a video's colours are coded.
        uneven: Seconds at which each frame is shown, where a video is to keep them.

    Raises:
        InputError: The output cannot be written as asked for.
        ConfigError: Options that contradict.
    """
    codec = chosen_codec(out, options)
    provenance = provenance_of(avatar) if options.mark else None
    if str(out) == STANDARD_OUTPUT:
        if options.resume:
            raise ConfigError("--resume: frames on standard output cannot be gone on with")
        return RawFrames(sys.stdout.buffer, codec, source.fps, provenance)
    made_of = _made_of(avatar, source, sound, options)
    if codec == "png":
        return PngFolder(Path(out), sound, source.fps, provenance, made_of, options.resume)
    said = provenance.tags() if provenance else {}
    coding = video_coding(Path(out), options)
    resume = options.resume
    return SpeechVideo(
        Path(out), sound, source.fps, said, coding, tags, made_of, resume, uneven=uneven
    )


def _made_of(avatar: Avatar, source: DrivingSource, sound: Path, options: RenderOptions) -> str:
    """All that frames depend on: the avatar, the sound, the motion at some places, the options.

    Other videos are told by their size and the time of their last change.
    """
    digest = hashlib.sha256()
    with sound.open("rb") as content:
        while piece := content.read(1 << 20):
            digest.update(piece)
    for place in sorted({0, len(source) // 3, 2 * len(source) // 3, len(source) - 1}):
        driven = source.chunk(place, place + 1)
        for value in vars(driven).values():
            digest.update(value.numpy().tobytes() if torch.is_tensor(value) else b"")
    for path in options.read_files():
        if path is not None and path.is_file():
            about = path.stat()
            digest.update(f"{about.st_size} {about.st_mtime_ns}\0".encode())
    whom = provenance_of(avatar).avatar
    how = replace(options, resume=False)
    return f"{whom} {digest.hexdigest()} {len(source)} frames at {source.fps} {how}\n"
