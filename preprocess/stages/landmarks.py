"""Stage: 478 face landmarks and 52 blendshapes of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nerf_talker.data.manifest import CropTransform
from nerf_talker.errors import InputError
from nerf_talker.geometry import mesh
from nerf_talker.preprocess.media import cropped_frames
from nerf_talker.preprocess.models import BLENDSHAPES, FACE_MODEL, FaceLandmarker
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import read_clip_record
from nerf_talker.preprocess.supplied import read_landmarks
from nerf_talker.types import BoolArray, FloatArray

LANDMARKS_FILE = "work/landmarks.npz"
# The models see at least this many pixels of the crop, whatever the dataset's size.
WORKING_SIZE = 512
LARGEST_MISSING_SHARE = 0.10


def run(context: StageContext) -> dict[str, Any]:
    """Write ``work/landmarks.npz``: landmarks in dataset pixels, blendshapes, valid."""
    record = read_clip_record(context)
    supplied = context.options.landmarks is not None
    read = _from_file if supplied else _from_model
    landmarks, shapes, valid = read(context, record.frames, record.crop)
    _check(context, valid)
    landmarks, shapes = _filled(landmarks, valid), _filled(shapes, valid)
    target = context.scratch / LANDMARKS_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez(target, landmarks=landmarks, blendshapes=_settled(shapes), valid=valid)
    missing = int((~valid).sum())
    ranges = time_ranges(valid, context.options.fps)
    notes = [f"no face in {missing} frames ({ranges}); interpolated"] if missing else []
    return {"source": "file" if supplied else "model", "missing": missing, "warnings": notes}


def _from_model(
    context: StageContext, frames: int, crop: CropTransform
) -> tuple[FloatArray, FloatArray, BoolArray]:
    size, fps = max(WORKING_SIZE, context.options.size), context.options.fps
    landmarks = np.zeros((frames, mesh.POINTS, 3), np.float32)
    shapes = np.zeros((frames, BLENDSHAPES), np.float32)
    valid = np.zeros(frames, bool)
    with FaceLandmarker(fps, models=context.options.models) as landmarker:
        pictures = cropped_frames(context.clip, fps, crop, size)
        for index, picture in enumerate(context.progress(pictures, "landmarks", frames)):
            faces = landmarker.read(picture)
            if faces and index < frames:
                landmarks[index] = faces[0].landmarks
                shapes[index] = faces[0].blendshapes
                valid[index] = True
    return landmarks * (context.options.size / size), shapes, valid


def _from_file(
    context: StageContext, frames: int, crop: CropTransform
) -> tuple[FloatArray, FloatArray, BoolArray]:
    if context.options.landmarks is None:
        raise InputError("no landmark file was given; use --landmarks FILE")
    given = read_landmarks(context.options.landmarks)
    rows = np.minimum(np.arange(frames), len(given.landmarks) - 1)
    scale = context.options.size / crop.side
    shift = np.array([crop.left, crop.top, 0], np.float32)
    landmarks = ((given.landmarks[rows] - shift) * scale).astype(np.float32)
    none = np.zeros((len(given.landmarks), BLENDSHAPES), np.float32)
    shapes = none if given.blendshapes is None else given.blendshapes
    return landmarks, np.nan_to_num(shapes[rows]), given.valid[rows]


def _check(context: StageContext, valid: BoolArray) -> None:
    """Refuse clips without a face in too many frames, naming where."""
    if not valid.any():
        raise InputError(
            f"{context.clip}: no face found in any frame; "
            "give a video of one person facing the camera"
        )
    missing = 1 - float(valid.mean())
    if missing > LARGEST_MISSING_SHARE:
        raise InputError(
            f"{context.clip}: no face in {missing:.0%} of the frames "
            f"({time_ranges(valid, context.options.fps)}); cut these parts out"
        )


def time_ranges(valid: BoolArray, fps: float, most: int = 6) -> str:
    """The stretches of False in ``valid`` as "12.00-12.40 s, ..."; at most ``most`` of them."""
    edges = np.diff(np.concatenate([[0], (~valid).astype(int), [0]]))
    spans = list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))
    texts = [f"{first / fps:.2f}-{last / fps:.2f} s" for first, last in spans[:most]]
    return ", ".join(texts) + (f" and {len(spans) - most} more" if len(spans) > most else "")


def _filled(values: FloatArray, valid: BoolArray) -> FloatArray:
    """(F, ...) values with invalid rows interpolated linearly in time."""
    if valid.all():
        return values
    good = np.flatnonzero(valid)
    rows = np.arange(len(valid))
    after = np.clip(np.searchsorted(good, rows), 0, len(good) - 1)
    right, left = good[after], good[np.maximum(after - 1, 0)]
    left = np.where(right <= rows, right, left)
    span = np.maximum(right - left, 1)
    part = np.clip((rows - left) / span, 0, 1).reshape(-1, *[1] * (values.ndim - 1))
    filled = (1 - part) * values[left] + part * values[right]
    return np.where(valid.reshape(part.shape), values, filled).astype(np.float32)


def _settled(shapes: FloatArray) -> FloatArray:
    """Blendshapes after a Savitzky-Golay filter (window 5, order 3), clipped to [0, 1]."""
    from scipy.signal import savgol_filter

    if len(shapes) < 5:
        return np.clip(shapes, 0, 1)
    return np.clip(savgol_filter(shapes, 5, 3, axis=0), 0, 1).astype(np.float32)


def read_landmark_file(context: StageContext) -> Iterator[Any]:
    """Landmarks (F, 478, 3), blendshapes (F, 52) and valid (F,), as this stage wrote them."""
    with np.load(context.root / LANDMARKS_FILE) as archive:
        yield from (archive[key] for key in ("landmarks", "blendshapes", "valid"))


STAGE = Stage(
    name="landmarks",
    version=1,
    inputs=("ingest",),
    outputs=(LANDMARKS_FILE,),
    options=(),
    files=("landmarks",),
    models=(FACE_MODEL,),
    run=run,
)
