"""Clip -> dataset: the stages in order, skipping what is done, resuming what was interrupted."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Set
from pathlib import Path

from nerf_talker.data.manifest import DatasetFiles, Manifest, StageRecord, read_manifest
from nerf_talker.errors import InputError
from nerf_talker.preprocess.failure import attempt, forget_failure
from nerf_talker.preprocess.media import probe
from nerf_talker.preprocess.models import check_model_folder
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.parser import FaceParser
from nerf_talker.preprocess.progress import REPORT, Journey
from nerf_talker.preprocess.stage import (
    RECORDS,
    WORK,
    Stage,
    StageContext,
    file_digest,
    publish,
    read_records,
    write_records,
)
from nerf_talker.preprocess.stages import (
    audio,
    background,
    expression,
    ingest,
    landmarks,
    parsing,
    split,
    torso,
    tracking,
)
from nerf_talker.preprocess.supplied import read_landmarks, read_mask_folder, read_masks
from nerf_talker.weights import resolve

STAGES: tuple[Stage, ...] = (
    ingest.STAGE,
    landmarks.STAGE,
    audio.STAGE,
    tracking.STAGE,
    expression.STAGE,
    parsing.STAGE,
    background.STAGE,
    torso.STAGE,
)


def preprocess(clip: Path, dataset: Path, options: PreprocessOptions) -> Manifest:
    """Turn a clip into a dataset folder.

    Stages whose inputs, options and code version have not changed are skipped, so the same
    command resumes an interrupted run and does nothing when there is nothing to do.

    Args:
        clip: A video of one person speaking.
        dataset: The folder to write; made when missing.
        options: What the user chose.

    Returns:
        The manifest, which is also in the folder.

    Raises:
        InputError: The clip cannot be used; the stage and, where there is one, the frame are named.
        WeightsError: A model file is missing.
        StageError: A stage stopped for another reason; ``work/failure.txt`` holds the details.
    """
    clip, dataset = Path(clip), Path(dataset)
    _check_inputs(clip, options)
    _check_folder(dataset)
    existed = dataset.exists()
    records = read_records(dataset)
    stale = _stale(dataset, file_digest(clip), options, records)
    if stale:
        probe(clip)
        # Said before the work starts, not minutes into it.
        _check_supplied({stage.name for stage, _ in stale}, options)
        for name in {name: None for stage, _ in stale for name in stage.needs(options)}:
            resolve(name, options.models)
    show = not options.quiet and sys.stderr.isatty()
    journey = Journey([*(stage.name for stage, _ in stale), REPORT], show and bool(stale))
    try:
        if not (dataset / RECORDS).exists():
            write_records(dataset, records)
        _drop_leftovers(dataset)
        forget_failure(dataset)
        for stage, recipe in stale:
            scratch = dataset / WORK / f"{stage.name}.partial"
            context = StageContext(clip, dataset, scratch, options, journey)
            records = _run(stage, context, records, recipe)
        if stale or not split.is_complete(dataset, records):
            journey.enter(REPORT)
            split.finish(clip, dataset, options, records, journey)
        return read_manifest(dataset)
    finally:
        journey.close()
        _drop_leftovers(dataset)
        _withdraw(dataset, existed)


def _stale(
    dataset: Path, digest: str, options: PreprocessOptions, records: dict[str, StageRecord]
) -> list[tuple[Stage, StageRecord]]:
    """The stages to run, with their new recipes.

    What was made with all models stays as it is where one of them is lacking now.
    """
    fingerprints: dict[str, str] = {}
    stale = []
    for stage in STAGES:
        lacking = stage.lacks(options)
        wanted = [stage.recipe(digest, options, fingerprints, names) for names in ((), lacking)]
        record = records.get(stage.name)
        fresh = [r for r in wanted if stage.is_fresh(dataset, record, r.fingerprint)]
        fingerprints[stage.name] = (fresh or wanted[1:])[0].fingerprint
        if not fresh:
            stale.append((stage, wanted[1]))
    return stale


def _run(
    stage: Stage, context: StageContext, records: dict[str, StageRecord], recipe: StageRecord
) -> dict[str, StageRecord]:
    """Run one stage, move its outputs into place and return the new records.

    What says that the stage is done goes only when the new outputs are complete: a failure leaves
    the dataset as it was.
    """
    context.scratch.mkdir(parents=True, exist_ok=True)
    context.journey.enter(stage.name)
    started = time.perf_counter()
    notes = attempt(stage, context)
    kept = _forget(context.root, stage, records)
    outputs = publish(stage, context.scratch, context.root)
    done = {
        "seconds": round(time.perf_counter() - started, 2),
        "notes": notes,
        "status": "warned" if notes.get("warnings") else "done",
        "outputs": outputs,
    }
    kept[stage.name] = recipe.model_copy(update=done)
    # In the order of the stages, whatever the order in which they became stale.
    kept = {stage.name: kept[stage.name] for stage in STAGES if stage.name in kept}
    write_records(context.root, kept)
    context.journey.leave()
    return kept


def _forget(dataset: Path, stage: Stage, records: dict[str, StageRecord]) -> dict[str, StageRecord]:
    """Remove what says that this stage is done, before its outputs change."""
    DatasetFiles(dataset).manifest.unlink(missing_ok=True)
    kept = {name: record for name, record in records.items() if name != stage.name}
    if stage.name in records:
        write_records(dataset, kept)
    return kept


def _withdraw(dataset: Path, existed: bool) -> None:
    """Remove the traces of a run that made nothing."""
    if [path for path in dataset.rglob("*") if path.is_file()] == [dataset / RECORDS]:
        shutil.rmtree(dataset / WORK if existed else dataset, ignore_errors=True)


def _check_inputs(clip: Path, options: PreprocessOptions) -> None:
    if not clip.is_file():
        fault = "is a folder" if clip.is_dir() else "no such file"
        raise InputError(f"{clip}: {fault}; give a video of one person speaking")
    for name in ("audio", "landmarks", "masks", "parser"):
        path = getattr(options, name)
        folder = path is not None and path.is_dir()
        if path is not None and not path.is_file() and not (folder and name == "masks"):
            fault = "is a folder" if folder else "no such file"
            raise InputError(f"{path}: {fault}; --{name} wants the path of a file")
    if options.parser is not None and options.masks is not None and options.masks.is_file():
        raise InputError(f"--masks {options.masks} replaces --parser; give one of them")
    check_model_folder(options.models)


def _check_supplied(stages: Set[str], options: PreprocessOptions) -> None:
    """Refuse files of the user's that the stages to run could not use.

    Raises:
        InputError: One is unreadable or holds something else.
    """
    if "ingest" in stages and options.landmarks is not None:
        read_landmarks(options.landmarks)
    if "parsing" not in stages:
        return
    if options.parser is not None:
        FaceParser(options.parser)
    if options.masks is not None:
        (read_mask_folder if options.masks.is_dir() else read_masks)(options.masks)


def _drop_leftovers(dataset: Path) -> None:
    """Remove what a killed run left half-written."""
    for leftover in (dataset / WORK).glob("*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
    for path in (dataset / RECORDS, *_last_files(DatasetFiles(dataset))):
        for leftover in path.parent.glob(f".{path.stem}.*{path.suffix}"):
            leftover.unlink(missing_ok=True)


def _last_files(files: DatasetFiles) -> tuple[Path, ...]:
    return files.manifest, files.report, files.contact_sheet


def _check_folder(dataset: Path) -> None:
    """Never write among files that are not a dataset's."""
    if dataset.exists() and not dataset.is_dir():
        raise InputError(f"{dataset}: is a file; give a folder for the dataset")
    if not dataset.is_dir() or not any(dataset.iterdir()):
        return
    if not (DatasetFiles(dataset).manifest.is_file() or (dataset / RECORDS).is_file()):
        raise InputError(f"{dataset}: holds other files; give a new or empty folder")
