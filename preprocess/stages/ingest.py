"""Stage 1: the clip becomes constant-rate square frames; unusable clips are refused here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from nerf_talker.config import StrictModel
from nerf_talker.data.manifest import CropTransform
from nerf_talker.errors import InputError
from nerf_talker.preprocess.faces import Box, FaceTracks, SeenFace, choose, face_box, look_of
from nerf_talker.preprocess.framing import FaceSearch, choose_crop
from nerf_talker.preprocess.hdr import can_convert
from nerf_talker.preprocess.media import (
    VideoWriter,
    cropped_frames,
    probe,
    read_video,
    steady_frames,
)
from nerf_talker.preprocess.models import FACE_MODEL, FaceLandmarker
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.supplied import check_count, read_landmarks
from nerf_talker.preprocess.survey import (
    MOST_FACES,
    Scene,
    Survey,
    choose_scene,
    look_again,
    survey,
)
from nerf_talker.types import ByteArray, FloatArray

CLIP_FILE = "work/clip.json"
SPEAKER_FILE = "work/speaker.npz"
# Rows of supplied landmarks that are looked at for the crop.
_ROWS = 48


class ClipRecord(StrictModel):
    """What later stages need to know about the clip (``work/clip.json``).

    Attributes:
        frames: Frames of the dataset.
        start: Time of the dataset's first frame on the clip's clock, seconds.
        crop: The square that was kept.
        warnings: Sentences for the report.
        first: The dataset's first frame, counted at the dataset's rate from the clip's first.
        whole: Frames the whole clip has at the dataset's rate.
        splices: Dataset frames before which time was cut out of the recording; nothing may be
            smoothed across them.
    """

    frames: int
    start: float
    crop: CropTransform
    warnings: list[str] = []
    first: int = 0
    whole: int = 0
    splices: list[int] = []

    @property
    def span(self) -> tuple[int, int]:
        """First and last + 1 of the clip's frames at the dataset's rate that are used."""
        return self.first, self.first + self.frames


def read_clip_record(context: StageContext) -> ClipRecord:
    """The record written by this stage."""
    content = (context.root / CLIP_FILE).read_text(encoding="utf-8")
    return ClipRecord.model_validate(json.loads(content))


def read_speaker(context: StageContext) -> FloatArray:
    """(F, 4) boxes of the chosen person in pixels of the clip, NaN where not seen.

    With one person in the clip there is no choice and the array is (0, 4).
    """
    with np.load(context.root / SPEAKER_FILE) as archive:
        return np.asarray(archive["boxes"], np.float32)


def clip_pictures(context: StageContext, record: ClipRecord, size: int) -> Iterator[ByteArray]:
    """The dataset's frames at any size: as they were written at their own, else from the clip."""
    if size == context.options.size:
        return read_video(context.done.frames, False)
    return cropped_frames(context.clip, context.options.fps, record.crop, size, record.span)


def run(context: StageContext) -> dict[str, Any]:
    """Check the clip, choose the crop, write ``frames.mkv`` and what later stages need."""
    clip, options = context.clip, context.options
    info = probe(clip)
    if not info.has_sound and options.audio is None:
        raise InputError(
            f"{clip}: has no sound track, and speech is needed to learn from; "
            "supply it with --audio FILE"
        )
    found = survey(context, info, options.landmarks is None)
    chosen, warnings = choose_scene(clip, found, options.scene)
    scene, whole = found.scenes[chosen], round(found.seconds * options.fps)
    span = _span(found, scene, options.fps)
    if options.landmarks is None:
        scene = look_again(context, found, scene, span)
    boxes, track, people = _faces(context, scene, span)
    crop = choose_crop(boxes, found.width, found.height)
    (context.scratch / CLIP_FILE).parent.mkdir(parents=True, exist_ok=True)
    np.savez(context.scratch / SPEAKER_FILE, boxes=track)
    frames = _write_frames(context, crop, span, round(scene.seconds * options.fps))
    if span == (0, None):
        whole = frames
    if options.landmarks is not None:
        check_count(options.landmarks, len(read_landmarks(options.landmarks).landmarks), whole)
    if info.high_dynamic_range:
        warnings.append(_hdr_warning())
    record = ClipRecord(
        frames=frames,
        start=found.start + span[0] / options.fps,
        crop=crop,
        warnings=[*warnings, *_warnings(context, crop, scene, people)],
        first=span[0],
        whole=whole,
        splices=[int(np.ceil(time * options.fps)) - span[0] for time in scene.splices],
    )
    content = record.model_dump_json(indent=1) + "\n"
    (context.scratch / CLIP_FILE).write_text(content, encoding="utf-8")
    return {
        "frames": frames,
        "source_frames": found.count,
        "crop_side": crop.side,
        "people": people,
        "scenes": len(found.scenes),
        "splices": len(scene.splices),
    }


def _hdr_warning() -> str:
    if can_convert():
        return "the clip is HDR and was converted to SDR; what is brighter than white is cut off"
    return (
        "the clip is HDR and its colours are wrong, since this PyAV cannot convert it; run "
        "'pip install -U av', or export the clip as SDR"
    )


def _write_frames(
    context: StageContext, crop: CropTransform, span: tuple[int, int | None], expected: int
) -> int:
    """Write ``frames.mkv``; returns how many."""
    options, frames = context.options, 0
    with VideoWriter(context.new.frames, options.size, options.fps, grey=False) as writer:
        pictures = cropped_frames(context.clip, options.fps, crop, options.size, span)
        for picture in context.progress(pictures, "frames", expected):
            writer.write(picture)
            frames += 1
    return frames


def _span(found: Survey, scene: Scene, fps: int) -> tuple[int, int | None]:
    """The scene's frames at the dataset's rate; the clip's last scene runs to its end."""
    last = None if scene.end >= found.seconds else int(np.ceil(scene.end * fps))
    return int(np.ceil(scene.start * fps)), last


def _faces(
    context: StageContext, scene: Scene, span: tuple[int, int | None]
) -> tuple[list[Box], FloatArray, int]:
    """Boxes for the crop, the speaker's box in every frame if there is a choice, and the people.

    Raises:
        InputError: No face anywhere, or not where the user says.
    """
    path, wish = context.options.landmarks, context.options.face
    nobody = np.zeros((0, 4), np.float32)
    if path is not None:
        given = read_landmarks(path)
        rows = np.flatnonzero(given.valid)
        if not len(rows):
            raise InputError(f"{path}: no frame has finite landmarks")
        inside = rows[(rows >= span[0]) & (rows < (span[1] or len(given.valid)))]
        rows = inside if len(inside) else rows
        picked = rows[np.linspace(0, len(rows) - 1, _ROWS).astype(int)]
        return [face_box(given.landmarks[row]) for row in picked], nobody, 1
    if not scene.has_face:
        raise InputError(
            f"{context.clip}: no face found in any frame; "
            "give a video of one person facing the camera"
        )
    if max(map(len, scene.looks)) < 2 and "," not in wish:
        return [boxes[0] for boxes in scene.looks if boxes], nobody, 1
    return _followed(context, span, wish)


def _followed(
    context: StageContext, span: tuple[int, int | None], wish: str
) -> tuple[list[Box], FloatArray, int]:
    """The wished-for person among several, followed through every frame."""
    options, tracks, frames = context.options, FaceTracks(), 0
    with FaceLandmarker(MOST_FACES, options.models, options.landmarker) as landmarker:
        search = FaceSearch(landmarker)
        pictures = islice(steady_frames(context.clip, options.fps), *span)
        for picture in context.progress(pictures, "people"):
            faces = search.find(picture)
            tracks.add(frames, [SeenFace(face_box(f), look_of(picture, f)) for f in faces])
            frames += 1
    people = tracks.people()
    if not people:
        raise InputError(f"{context.clip}: no face stays in view; film one person")
    speaker = choose(people, wish)
    boxes = np.full((frames, 4), np.nan, np.float32)
    boxes[speaker.frames] = speaker.boxes
    return speaker.boxes, boxes, len(people)


def _warnings(context: StageContext, crop: CropTransform, scene: Scene, people: int) -> list[str]:
    found = []
    if crop.side < 0.75 * context.options.size:
        enough = max(int(crop.side) // 64 * 64, 64)
        found.append(
            f"the face region is {crop.side:.0f} px wide in the clip and was enlarged to "
            f"{context.options.size} px; --size {enough} would lose nothing"
        )
    if scene.seconds < 30:
        found.append(f"only {scene.seconds:.1f} s of video; expect a weak mouth (2-5 min is best)")
    if people > 1:
        found.append(
            f"{people} people are in the clip; the one chosen by --face {context.options.face} "
            "was followed (or: largest, left, right, x,y)"
        )
    return found


STAGE = Stage(
    name="ingest",
    version=6,
    inputs=(),
    outputs=("frames.mkv", CLIP_FILE, SPEAKER_FILE),
    options=("size", "fps", "face", "scene", "landmarker"),
    files=("landmarks",),
    models=(FACE_MODEL,),
    run=run,
)
