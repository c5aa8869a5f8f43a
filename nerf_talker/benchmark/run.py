"""Running a suite cell by cell: what is finished is kept, what fails does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from nerf_talker.benchmark.cell import (
    Cell,
    CellResult,
    clip_digest,
    read_result,
    result_of,
    write_result,
)
from nerf_talker.benchmark.code_version import code_digest
from nerf_talker.benchmark.publish import publish
from nerf_talker.benchmark.suite import ClipEntry, Suite, resolve_config
from nerf_talker.benchmark.table import Outcome, Table, tabulate
from nerf_talker.data.dataset import Dataset
from nerf_talker.data.synthetic import write_sample
from nerf_talker.errors import NerfTalkerError
from nerf_talker.evaluate import EvaluateOptions, Report, evaluate
from nerf_talker.experiment import to_yaml
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.trainer import Trainer

RESULT = "cell.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Footage:
    """What preprocessing gets.

    Attributes:
        video: The clip.
        truth: Landmarks and masks of the built-in sample; None for a real clip.
        size: Width of the dataset's frames.
    """

    video: Path
    truth: Path | None
    size: int


Prepare = Callable[[Footage, Path], None]
"""Turns a clip into the dataset folder; resumes, and does nothing when there is nothing to do."""


@dataclass
class Runner:
    """A suite in a folder.

    Attributes:
        name: What the table calls the suite.
        suite: What to run.
        root: Folder for everything: clips, cells and the table.
        prepare: Preprocessing.
        clips: Folder in which relative clip files are looked up.
        models: Folder to look for model files in first.
        quiet: No progress bars.
    """

    name: str
    suite: Suite
    root: Path
    prepare: Prepare
    clips: Path = Path()
    models: Path | None = None
    quiet: bool = True
    _unusable: dict[str, str] = field(default_factory=dict)

    def run(self) -> Table:
        """Measure every cell that is not done; the table is written again after each.

        Raises:
            ConfigError: A configuration of the suite is wrong; nothing was run then.
        """
        cells = self.cells()
        self.root.mkdir(parents=True, exist_ok=True)
        outcomes = []
        for cell in tqdm(cells, "benchmark", disable=self.quiet, unit="cell"):
            outcomes.append(Outcome(cell, self._outcome(cell)))
            publish(tabulate(self.name, self.suite.drive, outcomes), self.root)
        return tabulate(self.name, self.suite.drive, outcomes)

    def cells(self) -> list[Cell]:
        """Every cell; all configurations of one seed come before the next seed."""
        return [
            Cell(clip, entry.name, resolve_config(entry, seed), self.suite.drive)
            for clip in self.suite.clips
            for seed in self.suite.seeds
            for entry in self.suite.configs
        ]

    def _outcome(self, cell: Cell) -> CellResult | str:
        """The cell's result, or one sentence; a night's other cells are worth more than this."""
        if cell.clip.name in self._unusable:
            return self._unusable[cell.clip.name]
        try:
            return self._measure(cell)
        except NerfTalkerError as error:
            return str(error)
        except OSError as error:
            return f"{error.filename or self.root}: {error.strerror or error}"
        except Exception as error:
            _log.exception("%s: a fault of the program", cell.title)
            return f"a fault of the program: {type(error).__name__}: {error}"

    def _measure(self, cell: Cell) -> CellResult:
        file = None if cell.clip.file is None else self.clips / cell.clip.file
        try:
            digest = clip_digest(cell.clip, file)
        except NerfTalkerError as error:
            self._unusable[cell.clip.name] = str(error)
            raise
        fingerprint = cell.fingerprint(digest, code_digest())
        folder = (
            self.root / "cells" / f"{cell.clip.name}-{cell.config}-seed{cell.seed}-{fingerprint}"
        )
        known = read_result(folder / RESULT, fingerprint)
        if known is not None:
            return known
        dataset = self._dataset(cell.clip, file)
        train_cell(cell, dataset, folder / "run", self.quiet)
        report = self._evaluate(cell, dataset, folder)
        result = result_of(report, fingerprint)
        write_result(folder / RESULT, result)
        return result

    def _evaluate(self, cell: Cell, dataset: Path, folder: Path) -> Report:
        options = EvaluateOptions(drive=cell.drive, quiet=self.quiet, models=self.models)
        return evaluate(folder / "run", dataset, folder / "report", options)

    def _dataset(self, clip: ClipEntry, file: Path | None) -> Path:
        """The clip's dataset folder, made or brought up to date."""
        folder = self.root / "clips" / clip.name
        dataset = folder / f"dataset-{clip.size}"
        try:
            if file is not None:
                footage = Footage(file, None, clip.size)
            else:
                footage = draw_sample(clip, folder, self.quiet)
            dataset.parent.mkdir(parents=True, exist_ok=True)
            self.prepare(footage, dataset)
        except NerfTalkerError as error:
            self._unusable[clip.name] = str(error)
            raise
        return dataset


def draw_sample(clip: ClipEntry, folder: Path, quiet: bool) -> Footage:
    """The built-in sample clip with its truth, drawn once."""
    assert clip.sample is not None
    seconds, seed = clip.sample.seconds, clip.sample.seed
    drawn = folder / f"sample-{seconds:g}s-{clip.size}-seed{seed}"
    video, truth = drawn / "sample.mp4", drawn / "sample_truth.npz"
    if not (video.is_file() and truth.is_file()):
        write_sample(drawn, seconds, clip.size, seed, quiet)
    return Footage(video, truth, clip.size)


def train_cell(cell: Cell, dataset: Path, run: Path, quiet: bool) -> None:
    """Train to the end, going on where a killed run stopped."""
    data, folder = Dataset.open(dataset, quiet), RunFolder(run)
    trainer = Trainer(data, folder, cell.settings.talker, cell.settings.train, quiet)
    folder.start(f"# {cell.title}, {data.manifest.identity()}\n" + to_yaml(cell.settings))
    if not folder.avatar.is_file():
        trainer.fit()
