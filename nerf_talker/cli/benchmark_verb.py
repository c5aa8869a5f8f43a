"""``nerf-talker benchmark SUITE.yaml -o FOLDER``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from nerf_talker.benchmark import Table
    from nerf_talker.benchmark.run import Footage


@dataclass(frozen=True)
class Arguments:
    """Every clip of a suite with every configuration and seed, in one table.

    Writes table.csv, table.md, table.html and table.json; the same command goes on after a stop and
    does only what is not done. Exit code 1 when a cell failed or the gate found a regression.

    Attributes:
        suite: A suite file, or the name of a shipped one.
        out: Folder for clips, runs, reports and the table.
        clips: Folder in which the suite's clip files are looked up.
        gate: A stored table.json; figures that became worse are named.
        tolerance: Part of the stored value by which a figure may worsen; twice its stored spread
            over seeds is allowed where that is more.
        models: Folder to look for model files in first.
        quiet: No progress bars.
    """

    suite: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SUITE")]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    clips: Path = Path()
    gate: Path | None = None
    tolerance: float = 0.05
    models: Path | None = None
    quiet: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False


def run(argv: list[str]) -> int:
    """Run the verb and print the table."""
    given = tyro.cli(Arguments, args=argv, prog="nerf-talker benchmark")
    from nerf_talker.benchmark import Runner, load_suite, read_table
    from nerf_talker.errors import InputError

    if not 0 <= given.tolerance < 1:
        raise InputError(f"--tolerance {given.tolerance}: wanted is a part from 0 to below 1")
    stored = None if given.gate is None else read_table(given.gate)
    suite = load_suite(given.suite)
    quiet = given.quiet or not sys.stderr.isatty()

    def prepare(footage: Footage, dataset: Path) -> None:
        _preprocess(footage, dataset, given.models, quiet)

    name = Path(given.suite).stem
    table = Runner(name, suite, given.out, prepare, given.clips, given.models, quiet).run()
    return _conclude(table, given.out, stored, given.tolerance)


def _preprocess(footage: Footage, dataset: Path, models: Path | None, quiet: bool) -> None:
    from nerf_talker.preprocess.options import PreprocessOptions
    from nerf_talker.preprocess.pipeline import preprocess

    options = PreprocessOptions(
        size=footage.size,
        landmarks=footage.truth,
        masks=footage.truth,
        models=models,
        quiet=quiet,
    )
    preprocess(footage.video, dataset, options)


def _conclude(table: Table, folder: Path, stored: Table | None, tolerance: float) -> int:
    """Say what came out; 1 when something failed or became worse."""
    from nerf_talker.benchmark import regressions
    from nerf_talker.benchmark.publish import as_markdown

    print(as_markdown(table))
    print(f"table: {folder / 'table.html'}")
    worse = [] if stored is None else regressions(table, stored, tolerance)
    for sentence in worse:
        print(f"error: regression: {sentence}", file=sys.stderr)
    if table.failures:
        count = len(table.failures)
        print(f"error: {count} of the suite's cells failed, see above", file=sys.stderr)
    return 1 if worse or table.failures else 0
