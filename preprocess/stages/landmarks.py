"""Stage: 478 face landmarks and 52 blendshapes of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nerf_talker.errors import InputError
from nerf_talker.geometry import mesh
from nerf_talker.geometry.landmarks68 import landmarks68
from nerf_talker.preprocess.ahead import ahead
from nerf_talker.preprocess.models import (
    BLENDSHAPES,
    FACE_MODEL,
    FaceLandmarker,
    mediapipe_fault,
)
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import (
    ClipRecord,
    clip_pictures,
    read_clip_record,
    read_speaker,
)
from nerf_talker.preprocess.steady import filled, jumps, nose_jitter, short_gaps, smoothed, steady
from nerf_talker.preprocess.subject import Choice
from nerf_talker.preprocess.supplied import read_landmarks
from nerf_talker.preprocess.survey import MOST_FACES
from nerf_talker.types import BoolArray, FloatArray

LANDMARKS_FILE = "work/landmarks.npz"
# The models see at least this many pixels of the crop, whatever the dataset's size.
WORKING_SIZE = 512
LARGEST_MISSING_SHARE = 0.30
# Gaps up to this long are interpolated; in longer ones nobody knows what the face did.
SHORT_GAP_SECONDS = 0.4
# Second faces in fewer frames are passers-by or mistakes.
_OTHERS_SHARE = 0.02


@dataclass
class _Readings:
    """What was read of F frames.

    Attributes:
        landmarks: (F, 478, 3) pixels of the dataset.
        shapes: (F, 52).
        valid: (F,) whether the face was found.
        others: Frames with a second face.
        warnings: Sentences for the report.
    """

    landmarks: FloatArray
    shapes: FloatArray
    valid: BoolArray
    others: int = 0
    warnings: list[str] = field(default_factory=list)


def run(context: StageContext) -> dict[str, Any]:
    """Write ``work/landmarks.npz``.

    It holds, for F frames: landmarks (F, 478, 3) dataset pixels, blendshapes (F, 52), valid (F,)
    whether a face was found, landmarks68 (F, 68, 2) in iBUG's order for other programs, detected
    (F, R, 2) the points on bone before jitter was taken out, and splices (S,) frames before which
    time was cut out.
    """
    record, fps = read_clip_record(context), context.options.fps
    supplied = context.options.landmarks is not None
    found = (_from_file if supplied else _from_model)(context, record)
    _check(context, found.valid, record.first / fps)
    splices = sorted({*record.splices, *jumps(found.landmarks, found.valid)})
    bridged = short_gaps(found.valid, round(SHORT_GAP_SECONDS * fps), splices)
    landmarks, shapes = (
        filled(values, found.valid, splices) for values in (found.landmarks, found.shapes)
    )
    scale = 512 / context.options.size
    jitter = {"jitter_raw_px512": round(scale * nose_jitter(landmarks, splices), 3)}
    detected = landmarks[:, list(mesh.RIGID), :2].copy()
    if not supplied:
        steady(landmarks, splices)
    jitter["jitter_px512"] = round(scale * nose_jitter(landmarks, splices), 3)
    target = context.scratch / LANDMARKS_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        target,
        landmarks=landmarks,
        blendshapes=np.clip(smoothed(shapes, splices), 0, 1),
        valid=found.valid,
        landmarks68=landmarks68(landmarks),
        detected=detected,
        splices=np.array(splices, np.int64),
    )
    return {
        "source": "file" if supplied else "model",
        "missing": int((~found.valid).sum()),
        "interpolated": int(bridged.sum()),
        "splices": splices,
        **jitter,
        "other_faces": found.others,
        "warnings": [
            *found.warnings,
            *_gap_warnings(found.valid, bridged, fps),
            *_splice_warnings(splices, fps),
        ],
    }


def _from_model(context: StageContext, record: ClipRecord) -> _Readings:
    options, frames = context.options, record.frames
    size = max(WORKING_SIZE, options.size)
    scale = size / record.crop.side
    speaker = (read_speaker(context) - [record.crop.left, record.crop.top] * 2) * scale
    found = _Readings(
        np.zeros((frames, mesh.POINTS, 3), np.float32),
        np.zeros((frames, BLENDSHAPES), np.float32),
        np.zeros(frames, bool),
    )
    choice = Choice(options.fps, record.splices)
    faces = MOST_FACES if len(speaker) else 2
    with FaceLandmarker(faces, options.models, options.landmarker) as landmarker:
        if landmarker.runtime == "litert" and options.landmarker == "auto":
            found.warnings.append(
                f"MediaPipe cannot be used here ({mediapipe_fault()}); LiteRT ran its models"
            )
        pictures = ahead(clip_pictures(context, record, size))
        for index, picture in enumerate(context.progress(pictures, "landmarks", frames)):
            readings = landmarker.read(picture)
            found.others += len(readings) > 1
            expected = speaker[index] if len(speaker) else None
            for row, face in choice.pick(index, readings, expected):
                found.landmarks[row] = face.landmarks * (options.size / size)
                found.shapes[row] = face.blendshapes
                found.valid[row] = True
    if not len(speaker) and found.others > _OTHERS_SHARE * frames:
        found.warnings.append(
            f"a second face is near in {found.others} of {frames} frames; the one that was there "
            "first was followed, look at the contact sheet"
        )
    return found


def _from_file(context: StageContext, record: ClipRecord) -> _Readings:
    if context.options.landmarks is None:
        raise InputError("no landmark file was given; use --landmarks FILE")
    given = read_landmarks(context.options.landmarks)
    rows = np.minimum(np.arange(*record.span), len(given.landmarks) - 1)
    crop = record.crop
    scale = context.options.size / crop.side
    shift = np.array([crop.left, crop.top, 0], np.float32)
    landmarks = ((given.landmarks[rows] - shift) * scale).astype(np.float32)
    none = np.zeros((len(given.landmarks), BLENDSHAPES), np.float32)
    shapes = none if given.blendshapes is None else given.blendshapes
    return _Readings(landmarks, np.nan_to_num(shapes[rows]), given.valid[rows])


def _check(context: StageContext, valid: BoolArray, start: float) -> None:
    """Refuse clips without a face in too many frames, naming where in the clip.

    Args:
        context: Of the stage.
        valid: (F,) whether a face was found.
        start: Seconds of the clip before the dataset's first frame.
    """
    if not valid.any():
        raise InputError(
            f"{context.clip}: no face found in any frame; "
            "give a video of one person facing the camera"
        )
    missing = 1 - float(valid.mean())
    if missing > LARGEST_MISSING_SHARE:
        raise InputError(
            f"{context.clip}: no face in {missing:.0%} of the frames "
            f"({time_ranges(valid, context.options.fps, start)}); cut these parts out"
        )


def _gap_warnings(valid: BoolArray, bridged: BoolArray, fps: float) -> list[str]:
    found, lost = [], ~valid & ~bridged
    if bridged.any():
        ranges = time_ranges(~bridged, fps)
        found.append(f"no face in {bridged.sum()} frames ({ranges}); interpolated")
    if lost.any():
        ranges = time_ranges(~lost, fps)
        found.append(
            f"no face for longer than {SHORT_GAP_SECONDS} s, {lost.sum()} frames ({ranges}); "
            "kept in time, not learned from"
        )
    return found


def _splice_warnings(splices: list[int], fps: float, most: int = 8) -> list[str]:
    if not splices:
        return []
    times = ", ".join(f"{place / fps:.2f} s" for place in splices[:most])
    more = f" and {len(splices) - most} more" if len(splices) > most else ""
    return [f"the recording was cut together at {times}{more}; nothing is smoothed across"]


def time_ranges(valid: BoolArray, fps: float, start: float = 0.0, most: int = 6) -> str:
    """The stretches of False in ``valid`` as "12.00-12.40 s, ..."; at most ``most`` of them.

    Args:
        valid: (F,) bool.
        fps: Frames per second.
        start: Seconds of the first frame.
        most: How many are named.
    """
    edges = np.diff(np.concatenate([[0], (~valid).astype(int), [0]]))
    spans = list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))
    texts = [
        f"{start + first / fps:.2f}-{start + last / fps:.2f} s" for first, last in spans[:most]
    ]
    return ", ".join(texts) + (f" and {len(spans) - most} more" if len(spans) > most else "")


def read_landmark_file(context: StageContext) -> Iterator[Any]:
    """Landmarks (F, 478, 3), blendshapes (F, 52) and valid (F,), as this stage wrote them."""
    with np.load(context.root / LANDMARKS_FILE) as archive:
        yield from (archive[key] for key in ("landmarks", "blendshapes", "valid"))


def read_detected(context: StageContext) -> FloatArray:
    """(F, R, 2) pixels of the points of :data:`nerf_talker.geometry.mesh.RIGID` as detected."""
    with np.load(context.root / LANDMARKS_FILE) as archive:
        return np.asarray(archive["detected"])


def read_splices(context: StageContext) -> list[int]:
    """Frames before which time was cut out of the recording."""
    with np.load(context.root / LANDMARKS_FILE) as archive:
        return [int(frame) for frame in archive["splices"]]


STAGE = Stage(
    name="landmarks",
    version=4,
    inputs=("ingest",),
    outputs=(LANDMARKS_FILE,),
    options=(),
    files=("landmarks",),
    models=(FACE_MODEL,),
    run=run,
)
