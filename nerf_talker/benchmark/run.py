"""Running a suite cell by cell: what is finished is kept, what fails does not stop the others."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from nerf_talker.benchmark.cell import (
    Cell,
    CellResult,
    clip_digest,
    file_digest,
    read_result,
    result_of,
    write_result,
)
from nerf_talker.benchmark.code_version import code_digest
from nerf_talker.benchmark.publish import publish
from nerf_talker.benchmark.suite import ClipEntry, Suite, VideoEntry, resolve_config
from nerf_talker.benchmark.table import Outcome, Table, tabulate
from nerf_talker.benchmark.video_row import measure_video
from nerf_talker.data.dataset import Dataset
from nerf_talker.data.synthetic import write_sample
from nerf_talker.errors import ConfigError, NerfTalkerError
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
        work: list[Cell | VideoEntry] = [*self.cells(), *self.suite.videos]
        self.root.mkdir(parents=True, exist_ok=True)
        # What is done is known first: a table never holds less than the one before it.
        results: list[CellResult | str | None] = [self._known(item) for item in work]
        for number, item in enumerate(tqdm(work, "benchmark", disable=self.quiet, unit="cell")):
            results[number] = results[number] or self._outcome(item)
            table = self._table(work, results)
            publish(table, self.root)
        return table

    def _table(
        self, work: list[Cell | VideoEntry], results: list[CellResult | str | None]
    ) -> Table:
        outcomes = [Outcome(i, r) for i, r in zip(work, results, strict=True) if r is not None]
        return tabulate(self.name, self.suite.drive, outcomes)

    def cells(self) -> list[Cell]:
        """Every cell; all configurations of one seed come before the next seed.

        Raises:
            ConfigError: A configuration is wrong, or cannot be driven as the suite wants.
        """
        made = [
            Cell(clip, entry.name, resolve_config(entry, seed), self.suite.drive)
            for clip in self.suite.clips
            for seed in self.suite.seeds
            for entry in self.suite.configs
        ]
        for cell in made:
            if cell.drive == "landmarks" and cell.settings.talker.mouth.source == "sound":
                raise ConfigError(
                    f"{self.name}: the suite drives by landmarks, but the lips of {cell.config} "
                    "learn from the sound alone (talker.mouth.source: sound); leave out 'drive: "
                    "landmarks' or this configuration"
                )
        return made

    def _known(self, item: Cell | VideoEntry) -> CellResult | None:
        """The result of what is done; None also where a file cannot be read."""
        try:
            folder, fingerprint = self._place(item)
        except NerfTalkerError:
            return None
        return read_result(folder / RESULT, fingerprint)

    def _outcome(self, item: Cell | VideoEntry) -> CellResult | str:
        """Its result, or one sentence; a night's other cells are worth more than this."""
        clip = item.clip if isinstance(item, VideoEntry) else item.clip.name
        if clip in self._unusable:
            return self._unusable[clip]
        try:
            return self._watch(item) if isinstance(item, VideoEntry) else self._measure(item)
        except NerfTalkerError as error:
            return str(error)
        except OSError as error:
            return f"{error.filename or self.root}: {error.strerror or error}"
        except Exception as error:
            _log.exception("a fault of the program in %s", self.root)
            return f"a fault of the program: {type(error).__name__}: {error}"

    def _place(self, item: Cell | VideoEntry) -> tuple[Path, str]:
        """The item's folder and fingerprint."""
        if isinstance(item, Cell):
            fingerprint = item.fingerprint(self._digest(item.clip), code_digest())
            name = f"{item.clip.name}-{item.config}-seed{item.seed}-{fingerprint}"
            return self.root / "cells" / name, fingerprint
        clip = self._clip_of(item)
        video = file_digest(self.clips / item.file)
        facts = [self._digest(clip), str(clip.size), video, code_digest()]
        fingerprint = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        return self.root / "videos" / f"{item.clip}-{item.name}-{fingerprint}", fingerprint

    def _digest(self, clip: ClipEntry) -> str:
        try:
            return clip_digest(clip, self._file(clip))
        except NerfTalkerError as error:
            self._unusable[clip.name] = str(error)
            raise

    def _clip_of(self, entry: VideoEntry) -> ClipEntry:
        return next(clip for clip in self.suite.clips if clip.name == entry.clip)

    def _watch(self, entry: VideoEntry) -> CellResult:
        folder, fingerprint = self._place(entry)
        dataset = self._dataset(self._clip_of(entry))
        video = self.clips / entry.file
        report = measure_video(video, dataset, folder, self.models, self.quiet)
        result = result_of(report, fingerprint)
        write_result(folder / RESULT, result)
        return result

    def _file(self, clip: ClipEntry) -> Path | None:
        return None if clip.file is None else self.clips / clip.file

    def _measure(self, cell: Cell) -> CellResult:
        folder, fingerprint = self._place(cell)
        dataset = self._dataset(cell.clip)
        train_cell(cell, dataset, folder / "run", self.quiet)
        report = self._evaluate(cell, dataset, folder)
        result = result_of(report, fingerprint)
        write_result(folder / RESULT, result)
        return result

    def _evaluate(self, cell: Cell, dataset: Path, folder: Path) -> Report:
        options = EvaluateOptions(drive=cell.drive, quiet=self.quiet, models=self.models)
        return evaluate(folder / "run", dataset, folder / "report", options)

    def _dataset(self, clip: ClipEntry) -> Path:
        """The clip's dataset folder, made or brought up to date."""
        folder = self.root / "clips" / clip.name
        dataset = folder / f"dataset-{clip.size}"
        file = self._file(clip)
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
