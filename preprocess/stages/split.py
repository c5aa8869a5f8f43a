"""Last step: the manifest with its splits, the contact sheet and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerf_talker.data.manifest import (
    CameraModel,
    DatasetFiles,
    Manifest,
    StageRecord,
    contiguous_splits,
    read_manifest,
    write_manifest,
)
from nerf_talker.errors import DatasetError
from nerf_talker.preprocess.contact_sheet import write_contact_sheet
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.report import write_report
from nerf_talker.preprocess.stages.ingest import CLIP_FILE, ClipRecord
from nerf_talker.preprocess.stages.tracking import clip_camera


def is_complete(dataset: Path, records: dict[str, StageRecord]) -> bool:
    """Whether the manifest belongs to these finished stages."""
    files = DatasetFiles(dataset)
    if not (files.report.is_file() and files.contact_sheet.is_file()):
        return False
    try:
        return read_manifest(dataset).stages == records
    except DatasetError:
        return False


def finish(
    clip: Path,
    dataset: Path,
    options: PreprocessOptions,
    records: dict[str, StageRecord],
    journey: Journey,
) -> Manifest:
    """Write ``contact_sheet.png``, ``report.html`` and, last, ``manifest.json``."""
    content = (dataset / CLIP_FILE).read_text(encoding="utf-8")
    record = ClipRecord.model_validate_json(content)
    camera = clip_camera(options.size)
    warnings = list(record.warnings)
    for entry in records.values():
        warnings += entry.notes.get("warnings", [])
    with np.load(DatasetFiles(dataset).audio_features) as features:
        extractor = str(features["extractor"])
    manifest = Manifest(
        subject=dataset.resolve().name,
        source=clip.name,
        frames=record.frames,
        fps=float(options.fps),
        size=options.size,
        camera=CameraModel(
            focal=camera.focal, centre=camera.centre, height=camera.height, width=camera.width
        ),
        crop=record.crop,
        splits=contiguous_splits(record.frames),
        extractor=extractor,
        warnings=warnings,
        stages=records,
        preprocess_seconds=round(sum(entry.seconds for entry in records.values()), 2),
    )
    write_contact_sheet(dataset, manifest)
    write_report(dataset, manifest, journey.follow)
    write_manifest(dataset, manifest)
    return manifest
