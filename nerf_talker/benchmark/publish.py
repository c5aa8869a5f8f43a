"""A table as files: JSON for the gate, CSV for spreadsheets, Markdown and HTML for people."""

from __future__ import annotations

import csv
import io
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from nerf_talker.atomic import atomic_path
from nerf_talker.benchmark.figures import FIGURES, Figure
from nerf_talker.benchmark.table import Statistic, Table, TableRow

MISSING = "–"


def publish(table: Table, folder: Path) -> None:
    """Write ``table.csv``, ``.md``, ``.html`` and last ``.json``, each atomically."""
    contents = {
        "table.csv": as_csv(table),
        "table.md": as_markdown(table),
        "table.html": as_html(table),
        "table.json": table.model_dump_json(indent=1) + "\n",
    }
    for name, content in contents.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")


def as_csv(table: Table) -> str:
    """One line per row and figure: clip, row, seeds, figure, mean, spread, count."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["clip", "row", "seeds", "figure", "mean", "spread", "count"])
    for row in table.rows:
        for name, value in row.figures.items():
            spread = "" if value.spread is None else f"{value.spread:.6g}"
            mean = f"{value.mean:.6g}"
            writer.writerow([row.clip, row.name, row.seeds, name, mean, spread, value.count])
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """A heading with what was measured, the table, and the failed cells."""
    shown = shown_figures(table)
    heads = ["clip", "row", "seeds", *(figure.heading() for figure in shown)]
    lines = [f"# Benchmark {table.suite}", "", describe(table), ""]
    lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_cells(row, shown))} |" for row in table.rows]
    if table.failures:
        lines += ["", "Not measured:", ""]
        lines += [f"- {failure.cell}: {failure.sentence}" for failure in table.failures]
    return "\n".join(lines) + "\n"


def as_html(table: Table) -> str:
    """The same as a self-contained page."""
    shown = shown_figures(table)
    heads = ["clip", "row", "seeds", *(figure.heading() for figure in shown)]
    rows = "".join(_html_row(row, shown) for row in table.rows)
    failures = "".join(
        f"<li><b>{escape(failure.cell)}</b> {escape(failure.sentence)}</li>"
        for failure in table.failures
    )
    facts = "".join(
        f"<tr><td>{escape(key)}</td><td>{escape(value)}</td></tr>"
        for key, value in table.environment.items()
    )
    page = resources.files("nerf_talker.benchmark").joinpath("table.html").read_text("utf-8")
    return Template(page).substitute(
        title=escape(f"Benchmark {table.suite}"),
        summary=escape(describe(table)),
        heads="".join(f"<th>{escape(head)}</th>" for head in heads),
        rows=rows,
        failures=f"<h2>Not measured</h2><ul>{failures}</ul>" if failures else "",
        facts=facts,
    )


def describe(table: Table) -> str:
    """What the figures are, in a few sentences."""
    judge = f"Expert figures are the {table.expert}'s, not LSE-C or LSE-D. " if table.expert else ""
    code = f"code {table.code}" + (f", commit {table.commit}" if table.commit else "")
    return (
        f"Test split, mouth driven by {table.drive}; mean ± standard deviation over seeds. Rows "
        "without a remark paste in no true pixel; (torso as tracked) rows move the torso as the "
        "clip's own track of those frames does; (head only) rows have the true frame behind the "
        f"head. {judge}nerf-talker {table.nerf_talker}, {code}."
    )


def shown_figures(table: Table) -> list[Figure]:
    """The columns that at least one row fills."""
    return [figure for figure in FIGURES if any(figure.name in row.figures for row in table.rows)]


def _cells(row: TableRow, shown: list[Figure]) -> list[str]:
    seeds = str(row.seeds) if row.seeds else MISSING
    return [row.clip, row.name, seeds, *(_cell(row.figures.get(f.name), f) for f in shown)]


def _cell(value: Statistic | None, figure: Figure) -> str:
    if value is None:
        return MISSING
    mean = f"{value.mean:.{figure.digits}f}"
    return mean if value.spread is None else f"{mean} ± {value.spread:.{figure.digits}f}"


def _html_row(row: TableRow, shown: list[Figure]) -> str:
    style = "" if row.seeds else " class='baseline'"
    return f"<tr{style}>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(row, shown))}</tr>"
