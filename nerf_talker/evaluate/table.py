"""The headline table: the same rows and columns on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from nerf_talker.evaluate.schema import Metrics, Report


@dataclass(frozen=True)
class Column:
    """One figure.

    Attributes:
        figure: Field of :class:`Metrics`, with a dot for one of a group.
        title: Heading; an arrow tells which way is better.
        digits: After the point.
    """

    figure: str
    title: str
    digits: int

    def value(self, metrics: Metrics) -> float | int | None:
        """The figure in a row."""
        found: float | int | None = attrgetter(self.figure)(metrics)
        return found


PICTURE = (
    Column("psnr", "PSNR ↑", 2),
    Column("psnr_face", "face ↑", 2),
    Column("psnr_mouth", "mouth ↑", 2),
    Column("ssim", "SSIM ↑", 3),
    Column("lpips", "LPIPS ↓", 3),
    Column("lpips_face", "face ↓", 3),
    Column("lmd", "LMD ↓", 2),
    Column("lipgap_corr", "lip corr ↑", 2),
    Column("lipgap_lag_frames", "lag → 0", 0),
    Column("lipgap_std_ratio", "std → 1", 2),
    Column("motion.lid_corr", "lid corr ↑", 2),
)
EXPERT = (
    Column("sync_offset_frames", "expert lag → 0", 0),
    Column("sync_confidence", "conf ↑", 2),
    Column("sync_distance", "dist ↓", 2),
)
SYNCNET = (
    Column("lse_offset_frames", "SyncNet lag → 0", 0),
    Column("lse_c", "LSE-C ↑", 2),
    Column("lse_d", "LSE-D ↓", 2),
)
SPEECH = (
    Column("speech_offset_frames", "speech lag", 0),
    Column("speech_confidence", "conf ↑", 2),
)
LOUDNESS = (
    Column("loudness_offset_frames", "loudness lag", 0),
    Column("loudness_confidence", "conf ↑", 2),
)
ALONE = (
    Column("lipgap_std", "lip std", 3),
    Column("lipgap_range", "lip range", 3),
    Column("motion.closed_in_silence", "closed in silence ↑", 2),
    Column("motion.blinks_per_minute", "blinks a minute", 1),
)
NATURAL = (Column("brisque", "BRISQUE ↓", 1),)
STEADINESS = (
    Column("jitter", "jitter", 2),
    Column("frames_without_face", "no face", 0),
)


def columns(reports: Sequence[Report]) -> list[Column]:
    """What can be known in these reports.

    Two videos have no training frames to learn a speech expert from; the loudness of the sound
    stands in for it. One video has nothing that its pictures could be compared with.
    """
    kinds = {report.kind for report in reports}
    return [
        *(PICTURE if kinds != {"video"} else ALONE),
        *(EXPERT if "avatar" in kinds or any(report.sync for report in reports) else ()),
        *(SYNCNET if any(report.metrics.lse_c is not None for report in reports) else ()),
        *(SPEECH if kinds != {"videos"} else ()),
        *(LOUDNESS if kinds != {"avatar"} else ()),
        *(NATURAL if any(report.metrics.brisque is not None for report in reports) else ()),
        *STEADINESS,
    ]


ROW_TITLES = {
    "own": "own",
    "own_torso": "own, torso as tracked",
    "head_only": "head only",
    "mean_frame": "mean training frame",
    "nearest_frame": "nearest training frame",
}
TRUTH_TITLE = "truth"
MISSING = "–"


def table(report: Report) -> list[list[str]]:
    """Rows of cells, titles first; the truth's own sync and jitter come last."""
    shown = columns([report])
    rows = [["", *(column.title for column in shown)]]
    for name, metrics in report.rows().items():
        rows.append([ROW_TITLES.get(name, name), *(_cell(metrics, column) for column in shown)])
    if report.kind == "video":
        return rows
    known = {k: v for k, v in report.truth.model_dump().items() if k in Metrics.model_fields}
    truth = Metrics(**known)
    rows.append([TRUTH_TITLE, *(_cell(truth, column, blank="") for column in shown)])
    return rows


def text_table(report: Report) -> str:
    """The table in aligned columns of plain text."""
    rows = table(report)
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def _cell(metrics: Metrics, column: Column, blank: str = MISSING) -> str:
    value = column.value(metrics)
    return blank if value is None else f"{value:.{column.digits}f}"
