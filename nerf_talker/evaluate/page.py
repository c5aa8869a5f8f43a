"""The report's files: ``report.json``, ``frames.csv`` and the self-contained ``report.html``."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from nerf_talker.atomic import atomic_path
from nerf_talker.evaluate import page_pictures as pictures
from nerf_talker.evaluate.charts import Line, chart
from nerf_talker.evaluate.film_figures import Scene
from nerf_talker.evaluate.frames_table import frames_csv
from nerf_talker.evaluate.gallery import Exhibit
from nerf_talker.evaluate.html_parts import (
    document,
    fact_table,
    grid,
    image,
    listed,
    quiet,
    section,
)
from nerf_talker.evaluate.lips import LAGS, Series, lag_curve
from nerf_talker.evaluate.measurement import Measurement
from nerf_talker.evaluate.metrics.psnr import CEILING
from nerf_talker.evaluate.page_tables import (
    cost_table,
    crosstalk_table,
    missing_table,
    motion_table,
    number,
    region_table,
    speed_table,
    tiles,
)
from nerf_talker.evaluate.schema import Report
from nerf_talker.evaluate.table import table

REPORT_FILES = ("frames.csv", "report.html", "report.json")


def write_report(folder: Path, report: Report, done: Measurement, scene: Scene) -> None:
    """Write the three files atomically; the JSON comes last, so that its presence means done.

    Args:
        folder: An existing folder.
        report: What the files say.
        done: Per-frame figures and pictures.
        scene: What all rows share.
    """
    write_text(folder / "frames.csv", frames_csv(done, scene))
    write_text(folder / "report.html", _page(report, done, scene))
    write_text(folder / "report.json", report.model_dump_json(indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _page(report: Report, done: Measurement, scene: Scene) -> str:
    first, exhibits = done.frames.start, done.gallery.worst
    worst = [(f"frame {e.frame}, {e.score:.1f} dB", e) for e in exhibits]
    spaced = [(f"frame {exhibit.frame}", exhibit) for exhibit in done.gallery.spaced]
    body = [
        pictures.player(done.clip, scene.fps, first, scene.boxes),
        tiles(report),
        section("Figures", grid(table(report)) + _table_note(report)),
        section("Over time", _curves(done, scene)),
        section("Worst moments", pictures.strips(worst)),
        section("Mouth over time", _with_note(pictures.filmstrip(done.gallery))),
        section("Regions", region_table(report.metrics)),
        section("Liveliness", _activity(report, done, scene)),
        section("Motion", motion_table(report)),
        section("Lag", _lag_chart(done, scene)),
        section("Evenly spaced frames", pictures.strips(spaced)),
        section("Mouths, enlarged", pictures.mouths(spaced + _first(worst))),
        section("Cross-talk", crosstalk_table(report)),
        section("Speed", speed_table(report) + cost_table(report)),
        section("Not measured", missing_table(report)),
        section("How the figures are made", listed(report.notes)),
        section("Settings and machine", _facts(report)),
    ]
    return document(f"Evaluation of {report.subject}", _summary(report), "".join(body))


def _summary(report: Report) -> str:
    size = f"{report.size}×{report.height or report.size}"
    if report.kind == "videos":
        return (
            f"{report.avatar} against {report.subject}: {report.frames} frames at {size}; "
            f"lips read by {report.reader.name}."
        )
    speed = report.speed.render_fps
    rendered = "" if speed is None else f", rendered at {speed:.1f} frames per second"
    return (
        f"{report.frames} frames of the {report.split} split at {size}, "
        f"mouth driven by {report.drive}{rendered}; lips read by {report.reader.name}."
    )


def _table_note(report: Report) -> str:
    if report.kind == "videos":
        return quiet("own is the predicted video; the truth's own lag and jitter stand below it.")
    return quiet(
        "own is the talker's picture with nothing pasted in; torso as tracked shows it with the "
        "clip's own body motion, head only its head over the true frame. The two rows of training "
        "frames cost no training; the truth's own lag and jitter are what the others should come "
        "to."
    )


def _first(worst: list[tuple[str, Exhibit]]) -> list[tuple[str, Exhibit]]:
    return [(f"worst mouth, frame {exhibit.frame}", exhibit) for _, exhibit in worst[:1]]


def _with_note(film: str) -> str:
    return film + quiet("Truth above, own below; the numbers are frames.") if film else ""


def _curves(done: Measurement, scene: Scene) -> str:
    time = np.array(done.frames, np.float64) / scene.fps
    own, label, seek = done.rows["own"].film, "seconds of the clip", done.frames.start / scene.fps
    gaps = [
        Line("truth", "truth", scene.truth.gap_series()),
        Line("own", "own", own.gap_series()),
    ]
    psnr = [
        Line("frame", "own", _capped(own.column("psnr.frame"))),
        Line("face", "other", _capped(own.column("psnr.face"))),
        Line("mouth", "fourth", _capped(own.column("psnr.mouth"))),
    ]
    if "head_only" in done.rows:
        head = done.rows["head_only"].film.column("psnr.frame")
        psnr.append(Line("head only, frame", "truth", _capped(head)))
    return (
        "<h3>Lip gap</h3>"
        + chart(time, gaps, label, "lip gap / distance of the eyes", seek)
        + "<h3>PSNR</h3>"
        + chart(time, psnr, label, "dB", seek)
        + quiet("Point at a curve for its numbers; click to move the player there.")
    )


def _activity(report: Report, done: Measurement, scene: Scene) -> str:
    picture = pictures.activity_picture(done.rows["own"].film, scene.truth)
    if picture is None:
        return ""
    bars = []
    for region, figures in report.metrics.regions:
        share = figures.activity_ratio
        if share is not None:
            width = min(share / 2, 1) * 100
            bars.append(
                f"<span>{escape(region)} {number(share, 2)}</span>"
                f"<div class='bar'><i style='width:{width:.0f}%'></i></div>"
            )
    return (
        f"<div class='card activity'><div>{image(picture)}<div class='scale'></div>"
        "<div class='ends'><span>¼ of the truth</span><span>equal</span><span>4 times</span></div>"
        f"</div><div>{''.join(bars)}"
        + quiet(
            "How much the brightness of each place changes over time, own over truth; half a bar "
            "is equal. Below 1 the picture is smoothed over, above 1 it flickers."
        )
        + "</div></div>"
    )


def _lag_chart(done: Measurement, scene: Scene) -> str:
    gaps, truth_gaps = done.rows["own"].film.gap_series(), scene.truth.gap_series()
    own_energy, own_speech = scene.heard.curves(gaps)
    truth_energy, truth_speech = scene.heard.curves(truth_gaps)
    curves = (
        ("own against the truth's lip gap", "own", lag_curve(gaps, truth_gaps)),
        ("own against the speech expert", "other", own_speech),
        ("truth against the speech expert", "truth", truth_speech),
        ("own against loudness", "fourth", own_energy),
        ("truth against loudness", "quiet", truth_energy),
    )
    lines = [Line(name, style, curve.correlation) for name, style, curve in curves if curve]
    if not lines:
        return quiet("nothing was measured for this chart")
    return chart(LAGS.astype(np.float64), lines, "lag in frames, positive is late", "correlation")


def _facts(report: Report) -> str:
    accuracy = report.reader.track_corr
    reads = "" if accuracy is None else f", correlation with the dataset's track {accuracy:.3f}"
    facts = {
        "avatar" if report.kind == "avatar" else "prediction": report.avatar,
        "lip reader": report.reader.name + reads,
        "report schema": str(report.schema_version),
        **report.environment,
    }
    return fact_table(facts.items())


def _capped(series: Series) -> Series:
    return np.minimum(series, CEILING)
