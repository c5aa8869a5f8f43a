"""A stage: a resumable step with declared inputs, outputs and a fingerprint.

A stage writes into a scratch folder inside the dataset; its outputs are moved into place only when
all of them are complete. The record of what is finished (``work/stages.json``) is updated after
that, so a process killed at any instant repeats at most the stage it was in.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nerf_talker.atomic import atomic_path
from nerf_talker.data.manifest import DatasetFiles, StageRecord
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.progress import Journey
from nerf_talker.weights import locate

WORK = "work"
# What is finished; that it is there marks a folder as ours.
RECORDS = "work/stages.json"


@dataclass(frozen=True)
class StageContext:
    """What a stage may see.

    Attributes:
        clip: The user's video.
        root: The dataset folder with the outputs of earlier stages.
        scratch: Where this stage writes its outputs, under their final relative names.
        options: The user's choices.
        journey: Where the run stands; knows the frame that is worked on.
    """

    clip: Path
    root: Path
    scratch: Path
    options: PreprocessOptions
    journey: Journey

    @property
    def done(self) -> DatasetFiles:
        """Files of earlier stages."""
        return DatasetFiles(self.root)

    @property
    def new(self) -> DatasetFiles:
        """Files this stage writes."""
        return DatasetFiles(self.scratch)

    def progress(self, items: Iterable[Any], text: str, total: int | None = None) -> Iterable[Any]:
        """``items``, one per frame, moving the progress bar; a failure names the frame."""
        return self.journey.follow(items, text, total)


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: Its name in messages and in the manifest.
        version: Raised whenever its results change.
        inputs: Names of the stages whose outputs it reads.
        outputs: Paths relative to the dataset folder.
        options: Names of the options that change its results.
        files: Names of the options that are files; their content counts.
        run: Does the work and returns notes for the manifest.
        models: Model files it needs, unless one of ``files`` is given in their place.
        aids: Model files it uses where they are at hand, unless one of ``files`` is given.
    """

    name: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: tuple[str, ...]
    files: tuple[str, ...]
    run: Callable[[StageContext], dict[str, Any]]
    models: tuple[str, ...] = ()
    aids: tuple[str, ...] = ()

    def needs(self, options: PreprocessOptions) -> tuple[str, ...]:
        """Model files it cannot do without."""
        return () if self._is_supplied(options) else self.models

    def lacks(self, options: PreprocessOptions) -> tuple[str, ...]:
        """Model files it would use if they were on this machine."""
        if self._is_supplied(options):
            return ()
        return tuple(name for name in self.aids if locate(name, options.models) is None)

    def _is_supplied(self, options: PreprocessOptions) -> bool:
        given = [getattr(options, name) for name in self.files]
        # A folder holds corrections of single frames; the others still need the models.
        return any(path is not None and not Path(path).is_dir() for path in given)

    def recipe(
        self,
        clip_digest: str,
        options: PreprocessOptions,
        before: dict[str, str],
        lacking: tuple[str, ...] = (),
    ) -> StageRecord:
        """All that the result depends on, and the hash of it: a record without a result yet.

        Args:
            clip_digest: Of the clip's content.
            options: What the user chose.
            before: Fingerprints of the stages it reads from, by name.
            lacking: Model files it does without.
        """
        given = {name: getattr(options, name) for name in self.files}
        files = {name: None if path is None else file_digest(path) for name, path in given.items()}
        if not self.inputs:
            files["clip"] = clip_digest
        inputs = {name: before[name] for name in self.inputs}
        chosen = {name: getattr(options, name) for name in self.options}
        parts = [self.name, self.version, inputs, chosen, files, lacking]
        digest = hashlib.sha256(
            json.dumps(parts, sort_keys=True, default=str).encode()
        ).hexdigest()[:32]
        return StageRecord(
            fingerprint=digest,
            seconds=0,
            version=self.version,
            inputs=inputs,
            options=chosen,
            files=files,
        )

    def is_fresh(self, root: Path, record: StageRecord | None, fingerprint: str) -> bool:
        """Whether the outputs on disk are those of ``fingerprint``."""
        if record is None or record.fingerprint != fingerprint:
            return False
        return all(
            (root / name).is_file() and (root / name).stat().st_size == record.outputs.get(name)
            for name in self.outputs
        )


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces; of a folder, of its files and their names."""
    digest = hashlib.sha256()
    if Path(path).is_dir():
        for part in sorted(entry for entry in Path(path).iterdir() if entry.is_file()):
            digest.update(f"{part.name} {file_digest(part)}\n".encode())
        return digest.hexdigest()
    with Path(path).open("rb") as source:
        while piece := source.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def read_records(root: Path) -> dict[str, StageRecord]:
    """Finished stages of a dataset folder; empty when there are none or the file is damaged."""
    path = root / RECORDS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: StageRecord.model_validate(entry) for name, entry in content.items()}
    except (OSError, ValueError, AttributeError, ValidationError):
        return {}


def write_records(root: Path, records: dict[str, StageRecord]) -> None:
    """Write ``work/stages.json`` atomically."""
    path = root / RECORDS
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: record.model_dump() for name, record in records.items()}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def publish(stage: Stage, scratch: Path, root: Path) -> dict[str, int]:
    """Move a finished stage's outputs into place; returns their sizes in bytes."""
    sizes = {}
    for name in stage.outputs:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(scratch / name, target)
        sizes[name] = target.stat().st_size
    shutil.rmtree(scratch, ignore_errors=True)
    return sizes
