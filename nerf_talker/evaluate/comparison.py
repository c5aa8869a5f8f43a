"""Several finished reports on one page: ``nerf-talker evaluate --compare A B C -o DIR``.

Only reports are read, no video and no avatar, so runs of different systems, measured on different
days, stand side by side. What is best in a column is marked, unless the reports measured different
frames: then the page says so and marks nothing.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from nerf_talker.errors import InputError
from nerf_talker.evaluate.boxes import REGIONS
from nerf_talker.evaluate.charts import Line, chart
from nerf_talker.evaluate.folder import prepare_folder
from nerf_talker.evaluate.gaps import flat
from nerf_talker.evaluate.html_parts import document, heading, quiet, section
from nerf_talker.evaluate.lips import Series
from nerf_talker.evaluate.page import write_text
from nerf_talker.evaluate.page_tables import MOTION_TITLES, REGION_TITLES, number
from nerf_talker.evaluate.schema import Report
from nerf_talker.evaluate.table import columns

COMPARISON_FILES = ("compare.csv", "compare.html")
FRAME_COLUMNS = {"frame", "lip_gap"}
"""What the curves need of a table of frames, whichever figures it holds."""

STYLES = ("own", "other", "fourth", "fifth", "truth", "quiet")
CURVES = (
    ("psnr_mouth", "PSNR of the mouth, dB"),
    ("psnr_face", "PSNR of the face, dB"),
    ("lip_gap", "lip gap / distance of the eyes"),
    ("lve_mm", "LVE, mm"),
)


@dataclass(frozen=True)
class Entry:
    """One report: its name on the page, its content, its table of frames."""

    name: str
    report: Report
    frames: dict[str, Series]


def compare_reports(folders: Sequence[Path], out: Path) -> list[Entry]:
    """Write ``compare.html`` and ``compare.csv`` on several report folders.

    Args:
        folders: Report folders, two or more.
        out: Made if needed.

    Raises:
        InputError: A folder holds no report, or one that cannot be read.
    """
    entries = [_entry(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]
    prepare_folder(out, COMPARISON_FILES)
    write_text(out / "compare.csv", _csv(entries))
    write_text(out / "compare.html", _page(entries))
    return entries


def text_table(entries: Sequence[Entry]) -> str:
    """The headline figures in aligned columns of plain text."""
    shown = columns([entry.report for entry in entries])
    rows = [["", *(column.title for column in shown)]]
    for entry in entries:
        values = [column.value(entry.report.metrics) for column in shown]
        cells = [number(v, c.digits) for v, c in zip(values, shown, strict=True)]
        rows.append([entry.name, *cells])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    )


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    whole = [Path(folder).resolve().parts for folder in folders]
    for count in range(1, max(len(parts) for parts in whole) + 1):
        names = [os.sep.join(parts[-count:]) for parts in whole]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def _entry(folder: Path, name: str) -> Entry:
    path = Path(folder) / "report.json"
    try:
        report = Report.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(
            f"{folder}: no report.json here; give folders made by 'nerf-talker evaluate'"
        ) from None
    except (ValidationError, UnicodeDecodeError):
        raise InputError(f"{path}: not a report of this version; evaluate again") from None
    return Entry(name, report, _frames(Path(folder) / "frames.csv"))


def _frames(path: Path) -> dict[str, Series]:
    """Columns of a table of frames; none where the table is gone."""
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            head, *rows = csv.reader(stream, strict=True)
        values = [[float(cell) if cell else np.nan for cell in row] for row in rows]
        series = np.array(values, np.float64).reshape(len(rows), len(head)).T
    except (OSError, ValueError, csv.Error):
        raise InputError(f"{path}: not a table of frames; evaluate again") from None
    if not set(head) >= FRAME_COLUMNS:
        raise InputError(f"{path}: not a table of frames; evaluate again")
    return dict(zip(head, series, strict=True))


def _csv(entries: Sequence[Entry]) -> str:
    lines = [",".join(["figure", *(f'"{entry.name}"' for entry in entries)])]
    figures = [flat(entry.report.metrics) for entry in entries]
    for path in figures[0]:
        cells = ["" if values[path] is None else f"{values[path]:.6g}" for values in figures]
        lines.append(",".join([path, *cells]))
    return "\n".join(lines) + "\n"


def _page(entries: Sequence[Entry]) -> str:
    keys = {(e.report.subject, e.report.frames, e.report.split, e.report.size) for e in entries}
    fair = len(keys) == 1
    warning = (
        ""
        if fair
        else quiet(
            "These reports did not measure the same frames of the same truth at the same size, so "
            "nothing is marked as best."
        )
    )
    shown = [(c.figure, c.title, c.digits) for c in columns([entry.report for entry in entries])]
    body = [
        warning,
        section("Figures", _table(entries, shown, fair)),
        section("Over time", _curves(entries)),
    ]
    for region in REGIONS:
        figures = [
            (f"regions.{region}.{name}", title, 2 if name == "psnr" else 3)
            for name, title in REGION_TITLES.items()
        ]
        body.append(section(f"Region: {region}", _table(entries, figures, fair)))
    motion = [(f"motion.{name}", title, 3) for name, title in MOTION_TITLES.items()]
    body.append(section("Motion", _table(entries, motion[: len(motion) // 2], fair)))
    body.append(_table(entries, motion[len(motion) // 2 :], fair))
    names = ", ".join(entry.name for entry in entries)
    return document(f"{len(entries)} reports compared", names, "".join(body))


def _table(entries: Sequence[Entry], figures: Sequence[tuple[str, str, int]], fair: bool) -> str:
    """Reports down, figures across; the best of a column with a direction is marked."""
    values = [flat(entry.report.metrics) for entry in entries]
    head = "".join(f"<th>{heading(title)}</th>" for _, title, _ in figures)
    best = {p: _best([v[p] for v in values], t, d) if fair else set() for p, t, d in figures}
    rows = []
    for k, entry in enumerate(entries):
        cells = "".join(
            f"<td{' class=best' if k in best[path] else ''}>"
            f"{escape(number(values[k][path], digits))}</td>"
            for path, _, digits in figures
        )
        rows.append(f"<tr><td>{escape(entry.name)}</td>{cells}</tr>")
    return (
        "<div class='wide card'><table><thead><tr><th></th>"
        f"{head}</tr></thead>{''.join(rows)}</table></div><p></p>"
    )


def _best(values: Sequence[float | int | None], title: str, digits: int) -> set[int]:
    """Rows that are best by the arrow in the title; none without an arrow or a shown difference."""
    values = [None if value is None else round(value, digits) for value in values]
    goals = {"↑": lambda v: -v, "↓": lambda v: v, "→ 1": lambda v: abs(v - 1), "→ 0": abs}
    goal = next((rank for sign, rank in goals.items() if sign in title), None)
    known = [v for v in values if v is not None]
    if goal is None or len(known) < 2 or len(set(known)) == 1:
        return set()
    ranks = [np.inf if v is None else float(goal(v)) for v in values]
    return {k for k, rank in enumerate(ranks) if rank == min(ranks)}


def _curves(entries: Sequence[Entry]) -> str:
    parts = []
    for column, label in CURVES:
        drawn = [(k, e) for k, e in enumerate(entries) if _has(e, column)]
        times = [e.frames["frame"] / (e.report.fps or 25.0) for _, e in drawn]
        lines = [
            Line(e.name, STYLES[k % len(STYLES)], np.where(np.isfinite(v), v, np.nan))
            for k, e in drawn
            for v in [e.frames[column]]
        ]
        if column == "lip_gap" and lines and "lip_gap_truth" in drawn[0][1].frames:
            lines.append(Line("truth", "truth", drawn[0][1].frames["lip_gap_truth"]))
            times.append(times[0])
        alike = [k for k, time in enumerate(times) if len(time) == len(times[0])]
        if alike and np.isfinite(np.concatenate([lines[k].values for k in alike])).any():
            shown = [lines[k] for k in alike]
            parts.append(f"<h3>{escape(label)}</h3>" + chart(times[0], shown, "seconds", label))
    return "".join(parts)


def _has(entry: Entry, column: str) -> bool:
    return column in entry.frames and bool(np.isfinite(entry.frames[column]).any())
