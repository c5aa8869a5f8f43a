"""The regression gate: a new table against a stored one, figure by figure."""

from __future__ import annotations

from nerf_talker.benchmark.figures import FIGURES, Figure
from nerf_talker.benchmark.table import Statistic, Table, TableRow


def regressions(new: Table, stored: Table, tolerance: float) -> list[str]:
    """One sentence per figure that became worse than it may, with the old and the new value.

    A figure may worsen by ``tolerance`` times its stored value, and by twice its stored spread over
    seeds where that is more. Rows that only the new table has are not judged; a row or figure that
    only the stored one has counts as a regression.

    Args:
        new: What was measured now.
        stored: What to compare with.
        tolerance: Part of the stored value, for example 0.05.
    """
    now = {(row.clip, row.name): row for row in new.rows}
    found = []
    for row in stored.rows:
        here = now.get((row.clip, row.name))
        if here is None:
            found.append(f"{row.clip} / {row.name}: the row is missing")
        else:
            found += _worse(row, here, tolerance)
    return found


def _worse(old: TableRow, new: TableRow, tolerance: float) -> list[str]:
    found = []
    for figure in FIGURES:
        before, after = old.figures.get(figure.name), new.figures.get(figure.name)
        if before is None or figure.better is None:
            continue
        place = f"{old.clip} / {old.name}: {figure.name}"
        was = f"{before.mean:.{figure.digits}f}"
        if after is None:
            found.append(f"{place}: was {was}, is not measured now")
        # Asked this way round, a figure that is no number is worse than any.
        elif not _lost(figure, before, after) <= _allowed(figure, before, tolerance):
            found.append(f"{place}: was {was}, is {after.mean:.{figure.digits}f}")
    return found


def _lost(figure: Figure, before: Statistic, after: Statistic) -> float:
    old, new = figure.loss(before.mean), figure.loss(after.mean)
    return 0.0 if old is None or new is None else new - old


def _allowed(figure: Figure, before: Statistic, tolerance: float) -> float:
    share = tolerance * max(abs(before.mean), figure.scale)
    return max(share, 2 * (before.spread or 0.0)) + 1e-9
