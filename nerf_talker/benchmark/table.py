"""The table of a suite: mean and spread over seeds, the baselines among the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from nerf_talker import __version__
from nerf_talker.benchmark.cell import Cell, CellResult, Values
from nerf_talker.benchmark.code_version import code_digest, commit
from nerf_talker.benchmark.suite import VideoEntry
from nerf_talker.config import MeasuredModel, validate
from nerf_talker.errors import InputError
from nerf_talker.train.driving import Drive

BASELINES = {"mean_frame": "mean training frame", "nearest_frame": "nearest training frame"}
HEAD_ONLY = " (head only)"
TORSO = " (torso as tracked)"
VIDEO = " (video)"


class Statistic(MeasuredModel):
    """A figure over seeds; ``spread`` is the sample standard deviation, None for one seed."""

    mean: float
    spread: float | None
    count: int


class TableRow(MeasuredModel):
    """One row.

    Attributes:
        clip: Name of the clip.
        name: The configuration; with ``(torso as tracked)`` where the clip's own track moves the
            torso, with ``(head only)`` where the true frame is behind the head, so that they are
            never taken for each other; another system's, with ``(video)``, of
            which nobody knows whether true pixels were pasted in; or a baseline.
        seeds: Finished runs behind it; 0 where nothing was trained here.
        figures: By the report's names; a figure that was not measured is not there.
    """

    clip: str
    name: str
    seeds: int
    figures: dict[str, Statistic]


class Failure(MeasuredModel):
    """A cell that could not be measured, and the sentence that says why."""

    cell: str
    sentence: str


class Table(MeasuredModel):
    """All of ``table.json``."""

    suite: str
    drive: Drive
    expert: str
    nerf_talker: str
    code: str
    commit: str | None
    environment: dict[str, str]
    rows: list[TableRow]
    failures: list[Failure]


@dataclass(frozen=True)
class Outcome:
    """A cell or a video with its result, or with the sentence that says why there is none."""

    item: Cell | VideoEntry
    result: CellResult | str

    @property
    def title(self) -> str:
        """How messages call it."""
        item = self.item
        return f"{item.clip} / {item.name}" if isinstance(item, VideoEntry) else item.title


def tabulate(suite: str, drive: Drive, outcomes: Sequence[Outcome]) -> Table:
    """The table of what has been measured so far."""
    done = [
        (o.item, o.result)
        for o in outcomes
        if isinstance(o.result, CellResult) and isinstance(o.item, Cell)
    ]
    rows = []
    for clip in dict.fromkeys(cell.clip.name for cell, _ in done):
        here = [(cell, result) for cell, result in done if cell.clip.name == clip]
        for name in dict.fromkeys(cell.config for cell, _ in here):
            results = [result for cell, result in here if cell.config == name]
            own = [{**result.speed, **result.rows["own"]} for result in results]
            head = [result.rows["head_only"] for result in results]
            rows.append(_row(clip, name, len(results), own))
            torso = [result.rows["own_torso"] for result in results if "own_torso" in result.rows]
            if torso:
                rows.append(_row(clip, name + TORSO, len(torso), torso))
            rows.append(_row(clip, name + HEAD_ONLY, len(results), head))
        still = here[0][1].rows
        rows += [_row(clip, title, 0, [still[name]]) for name, title in BASELINES.items()]
    for o in outcomes:
        if isinstance(o.item, VideoEntry) and isinstance(o.result, CellResult):
            rows.append(_row(o.item.clip, o.item.name + VIDEO, 0, [o.result.rows["own"]]))
    return Table(
        suite=suite,
        drive=drive,
        expert=next((result.expert for _, result in done if result.expert), ""),
        nerf_talker=__version__,
        code=code_digest(),
        commit=commit(),
        environment=done[-1][1].environment if done else {},
        rows=rows,
        failures=[
            Failure(cell=o.title, sentence=o.result) for o in outcomes if isinstance(o.result, str)
        ],
    )


def _row(clip: str, name: str, seeds: int, values: Sequence[Values]) -> TableRow:
    figures = {}
    for figure in values[0]:
        known = [number for row in values if (number := row.get(figure)) is not None]
        if known:
            figures[figure] = statistic(known)
    return TableRow(clip=clip, name=name, seeds=seeds, figures=figures)


def statistic(values: Iterable[float]) -> Statistic:
    """Mean and sample standard deviation of at least one value."""
    known = list(values)
    spread = stdev(known) if len(known) > 1 else None
    return Statistic(mean=fmean(known), spread=spread, count=len(known))


def read_table(path: Path) -> Table:
    """A stored ``table.json``.

    Raises:
        InputError: The file is missing or no such table.
        ConfigError: A key of it is unknown or wrong.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a table.json written by "
            "'nerf-talker benchmark'"
        ) from None
    except ValueError:
        raise InputError(
            f"{path}: is no table; give a table.json written by 'nerf-talker benchmark'"
        ) from None
    return validate(Table, content, str(path))
