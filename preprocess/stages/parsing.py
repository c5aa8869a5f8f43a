"""Stage: the class of every pixel and the soft head matte, as two grey videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.data.labels import Label
from nerf_talker.errors import InputError
from nerf_talker.geometry import mesh
from nerf_talker.geometry.headshape import similarity
from nerf_talker.preprocess.ahead import ahead
from nerf_talker.preprocess.classes import Classes, classes_of, label_map, resized_labels
from nerf_talker.preprocess.headmask import fit_edge, hair_from_person, head_matte
from nerf_talker.preprocess.media import VideoWriter, crop_resize
from nerf_talker.preprocess.models import HAIR_MODEL, PERSON_MODEL, HairModel, PersonModel
from nerf_talker.preprocess.parser import FaceParser
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import clip_pictures, read_clip_record
from nerf_talker.preprocess.stages.landmarks import read_landmark_file, read_splices
from nerf_talker.preprocess.supplied import MaskFile, check_count, read_mask_folder, read_masks
from nerf_talker.types import ByteArray, FloatArray
from nerf_talker.weights import REGISTRY
from nerf_talker.weights.lookup import VARIABLE

# The hair model's own resolution.
WORKING_SIZE = 512

Masks = tuple[ByteArray, ByteArray]
# Picture, hair and person of one frame, (S, S, 3), (S, S) and (S, S).
Probabilities = tuple[ByteArray, FloatArray, FloatArray]


@dataclass(frozen=True)
class Reading:
    """One frame at the working size: picture (S, S, 3), soft head (S, S) and classes."""

    picture: ByteArray
    matte: FloatArray
    classes: Classes


def run(context: StageContext) -> dict[str, Any]:
    """Write ``labels.mkv`` and ``head_alpha.mkv``."""
    record = read_clip_record(context)
    size, fps = context.options.size, context.options.fps
    given = context.options.masks
    whole = given is not None and not given.is_dir()
    masks = _supplied_masks(context) if whole else _corrected(context, _model_masks(context))
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
        "source": "file" if whole else "parser" if context.options.parser else "model",
        "corrected_frames": 0 if given is None or whole else len(_corrections(context)),
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
    for index in range(record.frames):
        row = min(record.first + index, len(labels) - 1)
        yield _cropped(context, labels[row], alpha[row])


def _cropped(context: StageContext, labels: ByteArray, alpha: ByteArray) -> Masks:
    """Masks in the clip's pixels, in the dataset's."""
    crop, size = read_clip_record(context).crop, context.options.size
    side, top, left = round(crop.side), round(crop.top), round(crop.left)
    part = labels[top : top + side, left : left + side]
    return resized_labels(part, size), crop_resize(alpha, crop, size)


def _corrections(context: StageContext) -> dict[int, MaskFile]:
    """The frames a mask folder corrects; none without one."""
    folder = context.options.masks
    if folder is None:
        return {}
    return read_mask_folder(folder, read_clip_record(context).frames)


def _corrected(context: StageContext, masks: Iterator[Masks]) -> Iterator[Masks]:
    """``masks`` with those of the user's folder in their place."""
    corrections, crop = _corrections(context), read_clip_record(context).crop
    for index, found in enumerate(masks):
        if index not in corrections:
            yield found
            continue
        given = corrections[index].read(crop.source_height, crop.source_width)
        yield _cropped(context, *given)


def _model_masks(context: StageContext) -> Iterator[Masks]:
    """Masks of every frame: the matte lightly smoothed over time, then fitted to the picture."""
    landmarks = next(read_landmark_file(context)) * (WORKING_SIZE / context.options.size)
    splices = set(read_splices(context))
    waiting: list[Reading] = []
    for index, reading in enumerate(ahead(_readings(context, landmarks))):
        if index in splices and waiting:
            yield _finished([*waiting, waiting[-1]], context.options.size)
            waiting.clear()
        waiting.append(reading)
        if len(waiting) == 1:
            waiting.insert(0, reading)
            continue
        yield _finished(waiting, context.options.size)
        del waiting[0]
    if waiting:
        waiting.append(waiting[-1])
        yield _finished(waiting, context.options.size)


def _finished(around: list[Reading], size: int) -> Masks:
    """Masks of the middle of three frames at the dataset's size.

    Moving the neighbours along with the head before they are averaged was tried: no steadier.
    """
    import cv2

    matte = 0.25 * around[0].matte + 0.5 * around[1].matte + 0.25 * around[2].matte
    background = around[1].classes.rest == Label.BACKGROUND
    matte = fit_edge(matte.astype(np.float32), around[1].picture, background)
    how = cv2.INTER_AREA if size < WORKING_SIZE else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(matte, (size, size), interpolation=how), np.float32)
    labels = label_map(small, around[1].classes.resized(size))
    return labels, np.round(small * 255).astype(np.uint8)


def _readings(context: StageContext, landmarks: FloatArray) -> Iterator[Reading]:
    """What the models, or the user's parser, say about every frame, at the working size."""
    if context.options.parser is not None:
        yield from _parsed(context, context.options.parser, landmarks)
        return
    for index, (picture, hair, person) in enumerate(ahead(_probabilities(context, landmarks))):
        points = landmarks[index]
        classes = classes_of(picture, hair, person, points)
        yield Reading(picture, head_matte(hair, person, points), classes)


def _parsed(context: StageContext, path: Path, landmarks: FloatArray) -> Iterator[Reading]:
    """Readings of the user's face parser."""
    parser = FaceParser(path)
    frames = clip_pictures(context, read_clip_record(context), WORKING_SIZE)
    for picture, points in zip(frames, landmarks, strict=False):
        matte, classes = parser.read(picture, points)
        yield Reading(picture, matte, classes)


def _probabilities(context: StageContext, landmarks: FloatArray) -> Iterator[Probabilities]:
    """Picture, hair and person of every frame."""
    models = context.options.models
    frames = clip_pictures(context, read_clip_record(context), WORKING_SIZE)
    with PersonModel(models) as person_model:
        if STAGE.lacks(context.options):
            for index, picture in enumerate(frames):
                person = person_model.read(picture)
                yield picture, hair_from_person(person, landmarks[index]), person
        else:
            with HairModel(models) as hair_model:
                splices = read_splices(context)
                yield from _both_models(hair_model, person_model, frames, landmarks, splices)


def _both_models(
    hair_model: HairModel,
    person_model: PersonModel,
    frames: Iterator[ByteArray],
    landmarks: FloatArray,
    splices: Sequence[int],
) -> Iterator[Probabilities]:
    """Hair is read in every second frame, beside splices in each, and moved between."""
    held: tuple[int, FloatArray] | None = None
    between: tuple[ByteArray, FloatArray] | None = None
    # Either side of a splice is read for itself: nothing between can be moved to it.
    read = {len(landmarks) - 1, *splices, *(splice - 1 for splice in splices)}
    for index, picture in enumerate(frames):
        person = person_model.read(picture)
        if index % 2 and index not in read:
            between = picture, person
            continue
        hair = hair_model.read(picture)
        if held is not None and between is not None:
            yield between[0], _moved_between(held, (index, hair), landmarks), between[1]
        between, held = None, (index, hair)
        yield picture, hair, person


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
    version=6,
    inputs=("ingest", "landmarks"),
    outputs=("labels.mkv", "head_alpha.mkv"),
    options=("size", "fps"),
    files=("masks", "parser"),
    models=(PERSON_MODEL,),
    aids=(HAIR_MODEL,),
    run=run,
)
