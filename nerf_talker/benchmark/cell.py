"""One cell of a benchmark: a clip, a configuration and a seed, and what was measured for them."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nerf_talker.atomic import atomic_path
from nerf_talker.benchmark.suite import ClipEntry
from nerf_talker.config import MeasuredModel
from nerf_talker.errors import InputError
from nerf_talker.evaluate import Report
from nerf_talker.experiment import ExperimentConfig
from nerf_talker.train.driving import Drive

Values = dict[str, float | None]


@dataclass(frozen=True)
class Cell:
    """What is to be measured.

    Attributes:
        clip: The clip.
        config: Name of the configuration in the suite.
        settings: The configuration itself, its seed among it.
        drive: What moves the mouth in the evaluation.
    """

    clip: ClipEntry
    config: str
    settings: ExperimentConfig
    drive: Drive

    @property
    def seed(self) -> int:
        """The seed of the training run."""
        return self.settings.train.seed

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"{self.clip.name} / {self.config} / seed {self.seed}"

    def fingerprint(self, clip_digest: str, code: str) -> str:
        """A digest of all that decides the cell's figures."""
        facts = [clip_digest, self.clip.size, self.settings.model_dump(mode="json"), self.drive]
        content = json.dumps([*facts, code], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


class CellResult(MeasuredModel):
    """What a finished cell measured.

    Attributes:
        fingerprint: See :meth:`Cell.fingerprint`.
        frames: Frames measured.
        rows: Figures by row of the report; None where not measured.
        speed: Seconds and rates of the report.
        expert: Which expert judged sync.
        environment: The machine and the versions.
    """

    fingerprint: str
    frames: int
    rows: dict[str, Values]
    speed: Values
    expert: str
    environment: dict[str, str]


def result_of(report: Report, fingerprint: str) -> CellResult:
    """The figures of a report, without its curves and words."""
    return CellResult(
        fingerprint=fingerprint,
        frames=report.frames,
        rows={name: _flat(row.model_dump()) for name, row in report.rows().items()},
        speed=_flat(report.speed.model_dump()),
        expert="" if report.sync is None else report.sync.expert,
        environment=report.environment,
    )


def _flat(values: dict[str, Any], prefix: str = "") -> Values:
    """Every figure by its dotted path; what is no finite number was not measured."""
    figures: Values = {}
    for name, value in values.items():
        if isinstance(value, dict):
            figures |= _flat(value, f"{prefix}{name}.")
        else:
            finite = value is not None and math.isfinite(value)
            figures[prefix + name] = float(value) if finite else None
    return figures


def write_result(path: Path, result: CellResult) -> None:
    """Write it atomically; that the file is there means that the cell is done."""
    with atomic_path(path) as temporary:
        temporary.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_result(path: Path, fingerprint: str) -> CellResult | None:
    """The finished cell at ``path``; None when there is none with this fingerprint."""
    try:
        result = CellResult.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return result if result.fingerprint == fingerprint else None


def clip_digest(clip: ClipEntry, path: Path | None) -> str:
    """A digest of the clip's content.

    Args:
        clip: The suite's entry.
        path: Its file; None for the built-in sample, which its parameters decide.

    Raises:
        InputError: The file cannot be read.
    """
    if path is None:
        assert clip.sample is not None
        return f"sample {clip.sample.model_dump_json()}"
    return file_digest(path)


def file_digest(path: Path) -> str:
    """SHA-256 of a file of the user.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); name the folder of the clips with --clips"
        ) from None
