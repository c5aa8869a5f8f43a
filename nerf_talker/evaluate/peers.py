"""Videos of other systems in an avatar's own table: ``--peer NAME=VIDEO``.

A peer's video shows the frames of the split from its first frame on, one for one, as the
``truth.mkv`` does that ``--save-video`` writes. It is resized to the dataset's size where needed
and measured as it is, by the same instruments as every other row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nerf_talker.errors import InputError
from nerf_talker.evaluate.alignment import SHAPE_TOLERANCE, fitted
from nerf_talker.evaluate.measurement import ROWS
from nerf_talker.evaluate.video_file import VideoFile
from nerf_talker.types import ByteArray

Peers = dict[str, VideoFile]

_NAME = re.compile(r"[\w.+-]+( [\w.+-]+)*")


def open_peers(given: Sequence[str], frames: int, fps: float) -> Peers:
    """The peers' videos by name.

    Args:
        given: ``NAME=VIDEO`` each.
        frames: Frames of the split.
        fps: Frames per second of the dataset.

    Raises:
        InputError: A name is missing or taken, or a video does not fit the split.
    """
    peers: Peers = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not path or not _NAME.fullmatch(name):
            raise InputError(f"--peer {text}: write NAME=VIDEO, for example wav2lip=wav2lip.mp4")
        if name in peers or name in (*ROWS, "truth"):
            raise InputError(f"--peer {text}: there is a row '{name}' already; choose another name")
        video = VideoFile.open(Path(path))
        if len(video) < frames:
            raise InputError(
                f"{path}: holds {len(video)} frames and the split {frames}; render the frames of "
                "truth.mkv, which --save-video writes, one for one"
            )
        if abs(video.fps / fps - 1) > 1e-3:
            raise InputError(
                f"{path}: has {video.fps:.3f} frames per second and the dataset {fps:.3f}; "
                "render it at the dataset's rate"
            )
        if abs(video.width / video.height - 1) > SHAPE_TOLERANCE:
            raise InputError(
                f"{path}: {video.width}x{video.height} pixels are not square as the dataset's "
                "frames are; crop the video as the dataset is cropped"
            )
        peers[name] = video
    return peers


def peer_pictures(video: VideoFile, frames: int, size: int) -> Iterator[ByteArray]:
    """The (size, size, 3) uint8 pictures of a peer's first ``frames`` frames."""
    for picture in video.pictures(list(range(frames))):
        yield fitted(picture, size, size)
