"""A report on the terminal: the table, then what was not measured, one line per reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerf_talker.evaluate import Report


def report_text(report: Report) -> str:
    """The headline table and the reasons for its gaps."""
    from nerf_talker.evaluate.table import text_table

    by_reason: dict[str, list[str]] = {}
    for figure, reason in report.not_measured.items():
        # A still picture has no lip motion to speak of; the table's dash says enough.
        if not figure.startswith("baselines."):
            by_reason.setdefault(reason, []).append(figure)
    gaps = [f"not measured: {', '.join(names)}: {why}" for why, names in by_reason.items()]
    return "\n".join([text_table(report), *gaps])
