"""The files of a report on one video without a truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nerf_talker.evaluate.charts import Line, chart
from nerf_talker.evaluate.film import Film
from nerf_talker.evaluate.film_figures import Scene
from nerf_talker.evaluate.frames_table import columns_csv
from nerf_talker.evaluate.html_parts import (
    document,
    fact_table,
    grid,
    image,
    listed,
    quiet,
    section,
)
from nerf_talker.evaluate.lips import LAGS, Series
from nerf_talker.evaluate.metrics.blinks import eye_openness
from nerf_talker.evaluate.page import REPORT_FILES, write_text
from nerf_talker.evaluate.page_tables import missing_table
from nerf_talker.evaluate.schema import Report, SyncInfo
from nerf_talker.evaluate.table import table
from nerf_talker.types import ByteArray

NO_TRUTH = "there is no truth to compare with (--truth)"

__all__ = ["NO_TRUTH", "REPORT_FILES", "Solo", "write_solo"]


@dataclass(frozen=True)
class Solo:
    """All that the files are made from.

    Attributes:
        report: What they say.
        film: What the video shows.
        scene: Its sound and its judges.
        stills: Some pictures by frame.
    """

    report: Report
    film: Film
    scene: Scene
    stills: dict[int, ByteArray]


def write_solo(folder: Path, solo: Solo) -> None:
    """Write the three files atomically; the JSON comes last, so that its presence means done."""
    write_text(folder / "frames.csv", columns_csv(_columns(solo)))
    write_text(folder / "report.html", _page(solo))
    write_text(folder / "report.json", solo.report.model_dump_json(indent=1) + "\n")


def _columns(solo: Solo) -> dict[str, Iterable[float]]:
    nothing = np.full(solo.report.frames, np.nan)
    energy, expected = solo.scene.heard.energy, solo.scene.heard.expected
    return {
        "frame": range(solo.report.frames),
        "lip_gap": solo.film.gap_series(),
        "heard_opening": nothing if expected is None else expected,
        "log_energy": nothing if energy is None else energy,
        "eye_openness": eye_openness(solo.film.landmarks()),
    }


def _page(solo: Solo) -> str:
    report = solo.report
    facts = {"video": report.avatar, "lip reader": report.reader.name, **report.environment}
    body = [
        section("Figures", grid(table(report))),
        section("Over time", _curves(solo)),
        section("Lag", _lags(solo)),
        section("Lip-sync expert", "" if report.sync is None else _expert(report.sync)),
        section("Evenly spaced frames", _stills(solo.stills)),
        section("Not measured", _missing(report)),
        section("How the figures are made", listed(report.notes)),
        section("Settings and machine", fact_table(facts.items())),
    ]
    summary = (
        f"{report.frames} frames at {report.size}×{report.height}, judged against their own sound; "
        f"lips read by {report.reader.name}."
    )
    return document(f"Evaluation of {report.subject}", summary, "".join(body))


def _curves(solo: Solo) -> str:
    time = np.arange(solo.report.frames) / solo.scene.fps
    lines = [Line("lip gap", "own", _standard(solo.film.gap_series()))]
    expected, energy = solo.scene.heard.expected, solo.scene.heard.energy
    if expected is not None:
        lines.append(Line("lip opening heard in the sound", "truth", _standard(expected)))
    if energy is not None:
        lines.append(Line("loudness", "quiet", _standard(energy)))
    return chart(time, lines, "seconds", "standard deviations from the mean")


def _standard(series: Series) -> Series:
    known = series[np.isfinite(series)]
    if not known.size or known.std() <= 1e-9:
        return np.full(len(series), np.nan)
    return np.asarray((series - known.mean()) / known.std(), np.float64)


def _lags(solo: Solo) -> str:
    energy, speech = solo.scene.heard.curves(solo.film.gap_series())
    curves = (("lip opening heard in the sound", "own", speech), ("loudness", "quiet", energy))
    lines = [Line(name, style, curve.correlation) for name, style, curve in curves if curve]
    if not lines:
        return quiet("nothing was measured for this chart")
    label = "lag in frames, positive is a late mouth"
    return chart(LAGS.astype(np.float64), lines, label, "correlation of the lip gap with it")


def _expert(sync: SyncInfo) -> str:
    lags = np.array(sync.lags, np.float64)
    lines = [Line("mouth and sound", "own", np.array(sync.distances["own"]))]
    return chart(lags, lines, "lag in frames, positive is a late mouth", "mean distance")


def _stills(stills: dict[int, ByteArray]) -> str:
    shown = (
        f"<figure>{image(picture)}<figcaption>frame {frame}</figcaption></figure>"
        for frame, picture in stills.items()
    )
    return f"<div class='card stills'>{''.join(shown)}</div>"


def _missing(report: Report) -> str:
    """Reasons, less the long list of what only a truth could tell."""
    known = {k: why for k, why in report.not_measured.items() if why != NO_TRUTH}
    alone = report.model_copy(update={"not_measured": known})
    return missing_table(alone) + quiet("Nor is anything that compares with a truth (--truth).")
