"""Clip -> dataset: the stages in order, skipping what is done, resuming what was interrupted."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from nerf_talker.data.manifest import DatasetFiles, Manifest, StageRecord, read_manifest
from nerf_talker.errors import InputError, NerfTalkerError
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.stage import (
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
    ingest,
    landmarks,
    parsing,
    split,
    torso,
    tracking,
)

STAGES: tuple[Stage, ...] = (
    ingest.STAGE,
    audio.STAGE,
    landmarks.STAGE,
    tracking.STAGE,
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
    """
    clip, dataset = Path(clip), Path(dataset)
    if not clip.is_file():
        raise InputError(f"{clip}: no such file; give a video of one person speaking")
    _check_folder(dataset)
    existed = dataset.exists()
    dataset.mkdir(parents=True, exist_ok=True)
    _drop_scratch(dataset)
    records = read_records(dataset)
    digest = file_digest(clip)
    changed = False
    try:
        for stage in STAGES:
            fingerprint = stage.fingerprint(digest, options, records)
            if stage.is_fresh(dataset, records.get(stage.name), fingerprint):
                continue
            changed = True
            records = _forget(dataset, stage, records)
            records[stage.name] = _run(stage, clip, dataset, options, fingerprint)
            write_records(dataset, records)
        if changed or not split.is_complete(dataset, records):
            split.finish(clip, dataset, options, records)
        return read_manifest(dataset)
    finally:
        _drop_scratch(dataset)
        if not existed and not any(entry.is_file() for entry in dataset.rglob("*")):
            shutil.rmtree(dataset, ignore_errors=True)


def _run(
    stage: Stage, clip: Path, dataset: Path, options: PreprocessOptions, fingerprint: str
) -> StageRecord:
    """Run one stage and move its outputs into place."""
    scratch = dataset / WORK / f"{stage.name}.partial"
    scratch.mkdir(parents=True, exist_ok=True)
    show = not options.quiet and sys.stderr.isatty()
    started = time.perf_counter()
    try:
        notes = stage.run(StageContext(clip, dataset, scratch, options, show))
    except NerfTalkerError as error:
        raise type(error)(f"{stage.name}: {error}") from None
    notes["bytes"] = publish(stage, scratch, dataset)
    seconds = round(time.perf_counter() - started, 2)
    return StageRecord(fingerprint=fingerprint, seconds=seconds, notes=notes)


def _forget(dataset: Path, stage: Stage, records: dict[str, StageRecord]) -> dict[str, StageRecord]:
    """Remove what says that this stage is done, before its outputs change."""
    DatasetFiles(dataset).manifest.unlink(missing_ok=True)
    kept = {name: record for name, record in records.items() if name != stage.name}
    if stage.name in records:
        write_records(dataset, kept)
    return kept


def _drop_scratch(dataset: Path) -> None:
    for leftover in (dataset / WORK).glob("*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)


def _check_folder(dataset: Path) -> None:
    """Never write among files that are not a dataset's."""
    if dataset.exists() and not dataset.is_dir():
        raise InputError(f"{dataset}: is a file; give a folder for the dataset")
    if not dataset.is_dir() or (dataset / WORK).is_dir():
        return
    if any(dataset.iterdir()) and not DatasetFiles(dataset).manifest.is_file():
        raise InputError(f"{dataset}: holds other files; give a new or empty folder")
