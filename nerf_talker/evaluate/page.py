"""The report's files: ``report.json``, ``frames.csv`` and the self-contained ``report.html``."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from nerf_talker.atomic import atomic_path
from nerf_talker.evaluate.charts import Line, chart
from nerf_talker.evaluate.gallery import ERROR_GAIN, Exhibit
from nerf_talker.evaluate.lips import LAGS, Series, lag_curve
from nerf_talker.evaluate.measurement import Measurement
from nerf_talker.evaluate.rows import Heard
from nerf_talker.evaluate.schema import Report
from nerf_talker.evaluate.table import table
from nerf_talker.types import ByteArray

JPEG_QUALITY = 92


REPORT_FILES = ("frames.csv", "report.html", "report.json")


def write_report(folder: Path, report: Report, done: Measurement, fps: float, heard: Heard) -> None:
    """Write the three files atomically; the JSON comes last, so that its presence means done.

    Args:
        folder: An existing folder.
        report: What the files say.
        done: Per-frame figures and pictures.
        fps: Frames per second, for the time axes.
        heard: What the sound says.
    """
    _write(folder / "frames.csv", _frames_csv(done))
    _write(folder / "report.html", _page(report, done, fps, heard))
    _write(folder / "report.json", report.model_dump_json(indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _frames_csv(done: Measurement) -> str:
    own, head = done.rows["own"], done.rows["head_only"]
    columns: dict[str, Iterable[float]] = {
        "frame": done.frames,
        "psnr": own.psnr,
        "psnr_face": own.psnr_face,
        "psnr_mouth": own.psnr_mouth,
        "ssim": own.ssim,
        "head_only_psnr": head.psnr,
        "head_only_psnr_face": head.psnr_face,
        "head_only_psnr_mouth": head.psnr_mouth,
        "lip_gap": own.motion.gaps,
        "lip_gap_truth": done.truth.gaps,
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([row[0], *("" if np.isnan(v) else f"{v:.5g}" for v in row[1:])])
    return text.getvalue()


def _page(report: Report, done: Measurement, fps: float, heard: Heard) -> str:
    page = resources.files("nerf_talker.evaluate").joinpath("page.html").read_text("utf-8")
    time = np.array(done.frames, np.float64) / fps
    own, head = done.rows["own"], done.rows["head_only"]
    gaps, truth_gaps = own.motion.gap_series(), done.truth.gap_series()
    lip_lines = [Line("truth", "truth", truth_gaps), Line("own", "own", gaps)]
    psnr_lines = [
        Line("own, frame", "own", _finite(own.psnr)),
        Line("own, face", "other", _finite(own.psnr_face)),
        Line("own, mouth", "fourth", _finite(own.psnr_mouth)),
        Line("head only, frame", "truth", _finite(head.psnr)),
    ]
    return Template(page).substitute(
        title=escape(f"Evaluation of {report.subject}"),
        summary=escape(_summary(report)),
        table=_table(report),
        strips=_strips(done),
        mouths=_mouths(done),
        lip_chart=chart(time, lip_lines, "seconds of the clip", "lip gap / distance of the eyes"),
        psnr_chart=chart(time, psnr_lines, "seconds of the clip", "dB"),
        lag_chart=_lag_chart(gaps, truth_gaps, heard),
        missing=_missing(report),
        notes="<ul>" + "".join(f"<li>{escape(note)}</li>" for note in report.notes) + "</ul>",
        facts=_facts(report),
    )


def _summary(report: Report) -> str:
    speed = report.speed.render_fps
    rendered = "" if speed is None else f", rendered at {speed:.1f} frames per second"
    return (
        f"{report.frames} frames of the {report.split} split at {report.size}×{report.size}, "
        f"mouth driven by {report.drive}{rendered}; lips read by {report.reader.name}."
    )


def _table(report: Report) -> str:
    head, *rows = table(report)
    parts = ["<table><thead><tr>", *(f"<th>{escape(cell)}</th>" for cell in head), "</tr></thead>"]
    for number, row in enumerate(rows):
        style = " class='headline'" if number == 0 else ""
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        parts.append(f"<tr{style}>{cells}</tr>")
    return "".join(parts) + "</table>"


def _exhibits(done: Measurement) -> list[tuple[str, Exhibit]]:
    shown = [(f"frame {exhibit.frame}", exhibit) for exhibit in done.gallery.spaced]
    worst = done.gallery.worst
    if worst is not None:
        shown.append((f"worst mouth, frame {worst.frame}", worst))
    return shown


def _strips(done: Measurement) -> str:
    parts = [_titles("four", ("truth", "own", "head only", f"error of own ×{ERROR_GAIN}"))]
    for name, exhibit in _exhibits(done):
        pictures = (exhibit.truth, exhibit.own, exhibit.head_only, exhibit.error())
        parts.append(_strip("four", name, pictures))
    return "".join(parts)


def _mouths(done: Measurement) -> str:
    parts = [_titles("mouths", ("truth", "own", "head only"))]
    for name, exhibit in _exhibits(done):
        label = f"{name}, {exhibit.psnr_mouth:.1f} dB"
        parts.append(_strip("mouths", label, exhibit.mouths()))
    return "".join(parts)


def _titles(style: str, titles: Sequence[str]) -> str:
    cells = "".join(f"<span>{escape(title)}</span>" for title in titles)
    return f"<div class='strip {style}'><span></span>{cells}</div>"


def _strip(style: str, name: str, pictures: Sequence[ByteArray]) -> str:
    images = "".join(f"<img alt='' src='{_data_uri(picture)}'>" for picture in pictures)
    return f"<div class='strip {style}'><span>{escape(name)}</span>{images}</div>"


def _data_uri(picture: ByteArray) -> str:
    import cv2

    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    return "data:image/jpeg;base64," + base64.b64encode(content.tobytes()).decode()


def _lag_chart(gaps: Series, truth_gaps: Series, heard: Heard) -> str:
    own_energy, own_speech = heard.curves(gaps)
    truth_energy, truth_speech = heard.curves(truth_gaps)
    curves = (
        ("own against the truth's lip gap", "own", lag_curve(gaps, truth_gaps)),
        ("own against the speech expert", "other", own_speech),
        ("truth against the speech expert", "truth", truth_speech),
        ("own against loudness", "fourth", own_energy),
        ("truth against loudness", "quiet", truth_energy),
    )
    lines = [Line(name, style, curve.correlation) for name, style, curve in curves if curve]
    if not lines:
        return "<p class='quiet'>nothing was measured for this chart</p>"
    return chart(LAGS.astype(np.float64), lines, "lag in frames, positive is late", "correlation")


def _missing(report: Report) -> str:
    if not report.not_measured:
        return "<p class='quiet'>Everything was measured.</p>"
    rows = report.not_measured.items()
    return _fact_table((key, reason) for key, reason in rows)


def _facts(report: Report) -> str:
    speed = {key: value for key, value in report.speed.model_dump().items() if value is not None}
    accuracy = report.reader.track_corr
    facts = {
        "avatar": report.avatar,
        **{key: f"{value:.2f}" for key, value in speed.items()},
        "lip reader": report.reader.name
        + ("" if accuracy is None else f", correlation with the dataset's track {accuracy:.3f}"),
        **report.environment,
    }
    return _fact_table(facts.items())


def _fact_table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<table class='facts'>{cells}</table>"


def _finite(values: list[float]) -> Series:
    series = np.array(values, np.float64)
    return np.where(np.isfinite(series), series, np.nan)
