"""A report on the terminal: the table, then what was not measured, one line per reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerf_talker.evaluate import Report


def report_text(report: Report) -> str:
    """The headline table and the reasons for its gaps.

    Gaps of single regions and of motion are only counted: the page names them. What only a truth
    could tell is no gap of a video without one.
    """
    from nerf_talker.evaluate.table import text_table

    by_reason: dict[str, list[str]] = {}
    more = 0
    # A still picture has no lip motion to speak of, and a video no renderer: the dash says enough.
    quiet = ("baselines.",) if report.kind == "avatar" else ("speed.", "crosstalk")
    for figure, reason in report.not_measured.items():
        if report.kind == "video" and "no truth" in reason:
            continue
        if "regions." in figure or "motion." in figure:
            more += 1
        elif not figure.startswith(quiet):
            by_reason.setdefault(reason, []).append(figure)
    gaps = [f"not measured: {', '.join(names)}: {why}" for why, names in by_reason.items()]
    if more:
        gaps.append(f"not measured: {more} figures of regions and motion; report.html says why")
    return "\n".join([text_table(report), *gaps])
