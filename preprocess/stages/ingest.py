"""Stage 1: the clip becomes constant-rate square frames; unusable clips are refused here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.config import StrictModel
from nerf_talker.data.manifest import CropTransform
from nerf_talker.errors import InputError
from nerf_talker.preprocess.framing import Box, choose_crop, face_box, find_face
from nerf_talker.preprocess.media import (
    VideoWriter,
    cropped_frames,
    probe,
    timed_frames,
    upright,
)
from nerf_talker.preprocess.models import FACE_MODEL, FaceLandmarker
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.supplied import check_count, read_landmarks

SHORTEST_SECONDS = 2.0
# A container may round its length; a smaller share of readable frames means a cut-off file.
_READABLE_SHARE = 0.97
_FACE_LOOKS = 48
CLIP_FILE = "work/clip.json"


class ClipRecord(StrictModel):
    """What later stages need to know about the clip (``work/clip.json``).

    Attributes:
        frames: Frames of the dataset.
        start: Time of the first video frame on the clip's clock, seconds.
        crop: The square that was kept.
        warnings: Sentences for the report.
    """

    frames: int
    start: float
    crop: CropTransform
    warnings: list[str] = []


def read_clip_record(context: StageContext) -> ClipRecord:
    """The record written by this stage."""
    content = (context.root / CLIP_FILE).read_text(encoding="utf-8")
    return ClipRecord.model_validate(json.loads(content))


@dataclass(frozen=True)
class _Survey:
    start: float
    seconds: float
    count: int
    width: int
    height: int
    boxes: list[Box]


def run(context: StageContext) -> dict[str, Any]:
    """Check the clip, choose the crop, write ``frames.mkv`` and ``work/clip.json``."""
    clip, options = context.clip, context.options
    info = probe(clip)
    if not info.has_sound and options.audio is None:
        raise InputError(
            f"{clip}: has no sound track, and speech is needed to learn from; "
            "supply it with --audio FILE"
        )
    survey = _survey(context, info.frames, info.seconds)
    if not survey.boxes:
        raise InputError(
            f"{clip}: no face found in any frame; give a video of one person facing the camera"
        )
    crop = choose_crop(survey.boxes, survey.width, survey.height)
    frames = 0
    with VideoWriter(context.new.frames, options.size, options.fps, grey=False) as writer:
        total = round(survey.seconds * options.fps)
        pictures = cropped_frames(clip, options.fps, crop, options.size)
        for picture in context.progress(pictures, "frames", total):
            writer.write(picture)
            frames += 1
    if options.landmarks is not None:
        check_count(options.landmarks, len(read_landmarks(options.landmarks).landmarks), frames)
    record = ClipRecord(
        frames=frames,
        start=survey.start,
        crop=crop,
        warnings=_warnings(context, crop, survey),
    )
    target = context.scratch / CLIP_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return {"frames": frames, "source_frames": survey.count, "crop_side": crop.side}


def _survey(context: StageContext, declared: int, declared_seconds: float) -> _Survey:
    """Decode everything once: is the file whole, and where is the face?"""
    clip = context.clip
    boxes = _supplied_boxes(context.options.landmarks)
    looks: set[int] = set()
    if not boxes:
        expected = declared or max(round(declared_seconds * 25), 1)
        looks = set(np.linspace(0, expected - 1, _FACE_LOOKS).astype(int).tolist())
    times: list[float] = []
    width = height = 0
    landmarker = FaceLandmarker(models=context.options.models) if looks else None
    try:
        frames = context.progress(timed_frames(clip), "reading", declared or None)
        for index, (seconds, frame) in enumerate(frames):
            times.append(seconds)
            if not width or index in looks:
                picture = upright(frame)
                height, width = picture.shape[:2]
                if landmarker is not None:
                    box = find_face(landmarker, picture)
                    boxes += [box] if box else []
    finally:
        if landmarker is not None:
            landmarker.__exit__(None, None, None)
    seconds = _length(clip, times, declared, declared_seconds)
    return _Survey(times[0], seconds, len(times), width, height, boxes)


def _length(clip: Path, times: list[float], declared: int, declared_seconds: float) -> float:
    """Seconds of readable video.

    Raises:
        InputError: Nothing could be decoded, the file is cut off, or it is too short.
    """
    if not times:
        raise InputError(f"{clip}: no frame of its video can be decoded; export it again")
    pace = (times[-1] - times[0]) / max(len(times) - 1, 1)
    seconds = times[-1] - times[0] + pace
    cut = declared and len(times) < _READABLE_SHARE * declared
    if cut or (declared_seconds and seconds < _READABLE_SHARE * declared_seconds - 0.5):
        raise InputError(
            f"{clip}: cut off or damaged: only {seconds:.2f} s of {declared_seconds:.2f} s "
            f"({len(times)} of {declared or 'unknown'} frames) can be read; copy or export it again"
        )
    if seconds < SHORTEST_SECONDS:
        raise InputError(
            f"{clip}: is {seconds:.2f} s long; at least {SHORTEST_SECONDS:.0f} s are needed "
            "(minutes are better)"
        )
    return seconds


def _supplied_boxes(path: Path | None) -> list[Box]:
    if path is None:
        return []
    given = read_landmarks(path)
    rows = np.flatnonzero(given.valid)
    if not len(rows):
        raise InputError(f"{path}: no frame has finite landmarks")
    picked = rows[np.linspace(0, len(rows) - 1, _FACE_LOOKS).astype(int)]
    return [face_box(given.landmarks[row]) for row in picked]


def _warnings(context: StageContext, crop: CropTransform, survey: _Survey) -> list[str]:
    found = []
    if crop.side < 0.75 * context.options.size:
        enough = max(int(crop.side) // 64 * 64, 64)
        found.append(
            f"the face region is {crop.side:.0f} px wide in the clip and was enlarged to "
            f"{context.options.size} px; --size {enough} would lose nothing"
        )
    if survey.seconds < 30:
        found.append(f"only {survey.seconds:.1f} s of video; expect a weak mouth (2-5 min is best)")
    return found


STAGE = Stage(
    name="ingest",
    version=3,
    inputs=(),
    outputs=("frames.mkv", CLIP_FILE),
    options=("size", "fps"),
    files=("landmarks",),
    models=(FACE_MODEL,),
    run=run,
)
