"""Stage: the class of every pixel and the soft head matte, as two grey videos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nerf_talker.errors import InputError
from nerf_talker.geometry import mesh
from nerf_talker.geometry.headshape import similarity
from nerf_talker.preprocess.headmask import classify, hair_from_person, head_matte
from nerf_talker.preprocess.media import VideoWriter, crop_resize
from nerf_talker.preprocess.models import HAIR_MODEL, PERSON_MODEL, HairModel, PersonModel
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import clip_pictures, read_clip_record
from nerf_talker.preprocess.stages.landmarks import read_landmark_file
from nerf_talker.preprocess.supplied import check_count, read_masks
from nerf_talker.types import ByteArray, FloatArray
from nerf_talker.weights import REGISTRY
from nerf_talker.weights.lookup import VARIABLE

# The hair model's own resolution.
WORKING_SIZE = 512

Masks = tuple[ByteArray, ByteArray]


def run(context: StageContext) -> dict[str, Any]:
    """Write ``labels.mkv`` and ``head_alpha.mkv``."""
    record = read_clip_record(context)
    size, fps = context.options.size, context.options.fps
    supplied = context.options.masks is not None
    masks = _supplied_masks(context) if supplied else _model_masks(context)
    area = 0.0
    with (
        VideoWriter(context.new.labels, size, fps, grey=True) as labels_out,
        VideoWriter(context.new.head_alpha, size, fps, grey=True) as alpha_out,
    ):
        for labels, alpha in context.progress(masks, "masks", record.frames):
            labels_out.write(labels)
            alpha_out.write(alpha)
            area += float(alpha.mean()) / 255 / record.frames
    return {
        "source": "file" if supplied else "model",
        "head_area": round(area, 4),
        "warnings": [_without(name) for name in STAGE.lacks(context.options)],
    }


def _without(name: str) -> str:
    """What a person should know about a missing model file."""
    return (
        f"{name} was not found, so hair was told from the person mask: right for short hair, long "
        "hair is cut off at the jaw; put the file into a folder, name it with --models DIR or "
        f"{VARIABLE} and run the same command again; its origin is {REGISTRY[name].origin}"
    )


def _supplied_masks(context: StageContext) -> Iterator[Masks]:
    import cv2

    path = context.options.masks
    if path is None:
        raise InputError("no mask file was given; use --masks FILE")
    record = read_clip_record(context)
    labels, alpha = read_masks(path)
    check_count(path, len(labels), record.whole)
    height, width = labels.shape[1:]
    if (width, height) != (record.crop.source_width, record.crop.source_height):
        raise InputError(
            f"{path}: masks are {width}x{height}, the clip is "
            f"{record.crop.source_width}x{record.crop.source_height}; give masks of this clip"
        )
    size, side = context.options.size, round(record.crop.side)
    top, left = round(record.crop.top), round(record.crop.left)
    for index in range(record.frames):
        row = min(record.first + index, len(labels) - 1)
        part = labels[row, top : top + side, left : left + side]
        classes = cv2.resize(part, (size, size), interpolation=cv2.INTER_NEAREST)
        yield np.asarray(classes), crop_resize(alpha[row], record.crop, size)


def _model_masks(context: StageContext) -> Iterator[Masks]:
    """Masks of every frame, the matte lightly smoothed over time."""
    landmarks = next(read_landmark_file(context)) * (WORKING_SIZE / context.options.size)
    waiting: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for index, (hair, person) in enumerate(_probabilities(context, landmarks)):
        waiting.append((head_matte(hair, person, landmarks[index]), hair, person))
        if len(waiting) == 1:
            waiting.insert(0, waiting[0])
            continue
        yield _finished(context, waiting, landmarks[index - 1])
        del waiting[0]
    if waiting:
        waiting.append(waiting[-1])
        yield _finished(context, waiting, landmarks[-1])


def _finished(
    context: StageContext,
    around: list[tuple[FloatArray, FloatArray, FloatArray]],
    landmarks: FloatArray,
) -> Masks:
    """Masks of the middle of three frames at the dataset's size."""
    import cv2

    matte = 0.25 * around[0][0] + 0.5 * around[1][0] + 0.25 * around[2][0]
    _, hair, person = around[1]
    size = context.options.size
    how = cv2.INTER_AREA if size < WORKING_SIZE else cv2.INTER_LINEAR
    small = [
        np.asarray(cv2.resize(m, (size, size), interpolation=how), np.float32)
        for m in (matte, hair, person)
    ]
    labels = classify(small[0], small[1], small[2], landmarks * (size / WORKING_SIZE))
    return labels, np.round(small[0] * 255).astype(np.uint8)


def _probabilities(
    context: StageContext, landmarks: FloatArray
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Hair and person of every frame."""
    models = context.options.models
    frames = clip_pictures(context, read_clip_record(context), WORKING_SIZE)
    with PersonModel(models) as person_model:
        if STAGE.lacks(context.options):
            for index, picture in enumerate(frames):
                person = person_model.read(picture)
                yield hair_from_person(person, landmarks[index]), person
        else:
            with HairModel(models) as hair_model:
                yield from _both_models(hair_model, person_model, frames, landmarks)


def _both_models(
    hair_model: HairModel,
    person_model: PersonModel,
    frames: Iterator[ByteArray],
    landmarks: FloatArray,
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Hair is read in every second frame and moved with the head between."""
    held: tuple[int, FloatArray] | None = None
    between: FloatArray | None = None
    last = len(landmarks) - 1
    for index, picture in enumerate(frames):
        person = person_model.read(picture)
        if index % 2 and index != last:
            between = person
            continue
        hair = hair_model.read(picture)
        if held is not None and between is not None:
            yield _moved_between(held, (index, hair), landmarks), between
        between, held = None, (index, hair)
        yield hair, person


def _moved_between(
    before: tuple[int, FloatArray], after: tuple[int, FloatArray], landmarks: FloatArray
) -> FloatArray:
    """The mean of two frames' hair, each moved to the head's place in the frame between."""
    import cv2

    target = landmarks[before[0] + 1, list(mesh.RIGID), :2]
    total = np.zeros_like(before[1])
    for index, hair in (before, after):
        scale, turn, shift = similarity(landmarks[index, list(mesh.RIGID), :2], target)
        matrix = np.concatenate([scale * turn, shift[:, None]], 1)
        size = (hair.shape[1], hair.shape[0])
        total += 0.5 * cv2.warpAffine(hair, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return total


STAGE = Stage(
    name="parsing",
    version=3,
    inputs=("ingest", "landmarks"),
    outputs=("labels.mkv", "head_alpha.mkv"),
    options=("size", "fps"),
    files=("masks",),
    models=(PERSON_MODEL,),
    aids=(HAIR_MODEL,),
    run=run,
)
