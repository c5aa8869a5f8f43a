"""Grading a recording before time is spent on it: what is good, what is not, and the cure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nerf_talker.audio.sound import read_sound
from nerf_talker.errors import InputError
from nerf_talker.preprocess.framing import face_box
from nerf_talker.preprocess.media import probe, timed_frames, upright
from nerf_talker.preprocess.models import FaceLandmarker

Grade = Literal["pass", "warn", "fail"]

_LOOKS = 60


@dataclass(frozen=True)
class Finding:
    """One graded property of a clip.

    Attributes:
        name: What was looked at.
        value: What was seen, in words.
        grade: pass, warn or fail.
        cure: What to do, empty when it passes.
    """

    name: str
    value: str
    grade: Grade
    cure: str = ""


@dataclass(frozen=True)
class _Sight:
    """Counts over the looked-at frames, and the length of the readable video in seconds."""

    seconds: float
    width: int
    height: int
    face_counts: list[int]
    face_heights: list[float]


def audit(clip: Path, models: Path | None = None) -> list[Finding]:
    """Grade a clip.

    Args:
        clip: The recording.
        models: Folder that is looked in first for model files.

    Raises:
        InputError: The file is no readable video.
        WeightsError: The face landmarker's model is missing.
    """
    info = probe(clip)
    sight = _look(clip, info.frames or round(info.seconds * 25), models)
    return [
        _length(sight.seconds, info.seconds),
        _rate(info.fps),
        _sound(clip, info.has_sound),
        _faces(sight),
        _face_size(sight),
    ]


def _look(clip: Path, expected: int, models: Path | None) -> _Sight:
    looks = set(np.linspace(0, max(expected - 1, 0), _LOOKS).astype(int).tolist())
    counts, heights = [], []
    seconds, start, width, height = 0.0, None, 0, 0
    with FaceLandmarker(faces=2, models=models) as landmarker:
        for index, (now, frame) in enumerate(timed_frames(clip)):
            start = now if start is None else start
            seconds = now - start
            if index not in looks:
                continue
            picture = upright(frame)
            height, width = picture.shape[:2]
            faces = landmarker.read(picture)
            counts.append(len(faces))
            if len(faces) == 1:
                _, top, _, bottom = face_box(faces[0].landmarks)
                heights.append(bottom - top)
    if not counts:
        raise InputError(f"{clip}: no frame of its video can be decoded; export it again")
    return _Sight(seconds, width, height, counts, heights)


def _length(seconds: float, declared: float) -> Finding:
    value = f"{seconds:.1f} s"
    if declared and seconds < 0.97 * declared - 0.5:
        value += f" readable of {declared:.1f} s"
        return Finding("length", value, "fail", "the file is cut off; copy or export it again")
    if seconds < 2:
        return Finding("length", value, "fail", "record at least 2 s, better 2 to 5 min")
    if seconds < 60:
        return Finding("length", value, "warn", "record 2 to 5 min for a good mouth")
    return Finding("length", value, "pass")


def _rate(fps: float) -> Finding:
    value = f"{fps:.2f} fps"
    if fps < 20:
        return Finding("frame rate", value, "warn", "record with 25 fps or more; lips will lag")
    return Finding("frame rate", value, "pass")


def _sound(clip: Path, present: bool) -> Finding:
    if not present:
        return Finding("sound", "no sound track", "fail", "supply the speech with --audio FILE")
    try:
        samples = read_sound(clip)
    except InputError:
        return Finding("sound", "unreadable", "fail", "supply the speech with --audio FILE")
    level = 20 * np.log10(max(float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))), 1e-6))
    value = f"{level:.0f} dB"
    if level < -60:
        return Finding("sound", value, "fail", "the track is silent; supply speech with --audio")
    if level < -40:
        return Finding("sound", value, "warn", "very quiet; record closer to the microphone")
    clipped = float((np.abs(samples) > 0.995).mean())
    if clipped > 0.001:
        return Finding("sound", f"{value}, {clipped:.1%} clipped", "warn", "record less loud")
    return Finding("sound", value, "pass")


def _faces(sight: _Sight) -> Finding:
    counts = np.asarray(sight.face_counts)
    one = float((counts == 1).mean())
    value = f"exactly one face in {one:.0%} of {len(counts)} frames looked at"
    if not (counts > 0).any():
        return Finding("faces", "no face found", "fail", "film one person facing the camera")
    if one < 0.9:
        cure = "cut out the parts with no face or a second one"
        return Finding("faces", value, "fail" if one < 0.5 else "warn", cure)
    return Finding("faces", value, "pass")


def _face_size(sight: _Sight) -> Finding:
    if not sight.face_heights:
        return Finding("face size", "unknown", "warn", "film one person facing the camera")
    tall = float(np.median(sight.face_heights))
    value = f"{tall:.0f} px of {sight.width}x{sight.height}"
    if tall < 60:
        return Finding("face size", value, "fail", "move closer: at least 60 px, better 200 px")
    if tall < 130:
        return Finding("face size", value, "warn", "move closer or use --size 256; 200 px is good")
    return Finding("face size", value, "pass")
