"""How long a sound is by what its file says at the beginning, so that a cut file is told.

Read where the beginning names a length: WAV with uncompressed samples, MP3 with a Xing or Info tag,
FLAC, AIFF, AU, and Matroska with sound alone. FFmpeg shortens the length of a cut WAV to what is
there, and guesses that of an MP3 from its size, so these two are read here; it guesses that of a
Matroska without one too, but then for each track. MP4 and M4A need no such look, their decoder
stops with an error; Ogg says its length at the end alone.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

# Containers whose length FFmpeg takes from the beginning of the file and from nowhere else.
_HONEST = ("flac", "aiff", "au")
# Bytes of samples from which on they are what programs write that do not know how many will come.
_UNKNOWN_SIZE = 0x7F000000
# Bytes after an MP3's ID3 tag in which the tag of its first frame lies.
_FIRST_FRAME = 4096


def promised_seconds(path: Path, container: Any) -> float | None:
    """When the first sound track should end; None where the file does not say.

    Args:
        path: The file.
        container: PyAV's, opened on it, with a sound track.

    Returns:
        Seconds of the file's own clock, on which Matroska's sound may begin late and have gaps.
    """
    stream, kind = container.streams.audio[0], container.format.name
    is_plain = stream.codec_context.name.startswith("pcm_")
    byte_rate = (stream.codec_context.bit_rate or 0) / 8
    seconds: float | None = None
    if kind == "mp3":
        frames = _mp3_frames(path)
        seconds = frames and frames * (1152 if stream.rate >= 32000 else 576) / stream.rate
    elif kind == "wav" and is_plain and byte_rate:
        seconds = _cut_wav_size(path) / byte_rate
    elif kind in _HONEST and stream.duration:
        seconds = float(stream.duration * stream.time_base)
    elif "matroska" in kind and _is_told(container) and len(container.streams) == 1:
        seconds = container.duration / 1e6
    is_unknown = seconds and is_plain and seconds * byte_rate >= _UNKNOWN_SIZE
    return seconds if seconds and not is_unknown else None


def _is_told(container: Any) -> bool:
    """Whether a Matroska file names its length; a guess of FFmpeg's stands in the tracks too."""
    return bool(container.duration) and container.streams.audio[0].duration is None


def _cut_wav_size(path: Path) -> int:
    """Bytes of samples that a RIFF header names; 0 for another header, or where all are there."""
    there = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF":
            return 0
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                return int(size) if file.tell() + size > there else 0
            file.seek(size + size % 2, 1)
    return 0


def _mp3_frames(path: Path) -> int | None:
    """Frames by the Xing or Info tag in the first of them; None without it."""
    with path.open("rb") as file:
        head = file.read(10)
        skipped = 0
        if len(head) == 10 and head[:3] == b"ID3":
            for byte in head[6:]:  # seven bits each
                skipped = skipped << 7 | byte & 127
            skipped += 10
        file.seek(skipped)
        head = file.read(_FIRST_FRAME)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or len(head) < at + 12:
        return None
    flags, frames = struct.unpack(">II", head[at + 4 : at + 12])
    return frames if flags & 1 and frames else None
