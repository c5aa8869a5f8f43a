"""A graded recording as JSON and as a page for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from html import escape
from pathlib import Path

import numpy as np

from nerf_talker.atomic import atomic_path
from nerf_talker.errors import InputError
from nerf_talker.preprocess.audit import Audit
from nerf_talker.preprocess.charts import Curve, plot
from nerf_talker.preprocess.glance import Face, Look
from nerf_talker.preprocess.page import badge, table, write_page

_ORDER = ("fail", "warn", "pass")


def check_report_path(path: Path) -> None:
    """Refuse a path that nothing can be written to, before the work.

    Raises:
        InputError: It is a folder, or lies in none.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the path of a file to write")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder; make it, or write {path.name} elsewhere")


def write_json(path: Path, clip: Path, found: Audit) -> None:
    """Write the findings atomically."""
    content = {
        "clip": str(clip),
        "usable": found.usable,
        "findings": [asdict(finding) for finding in found.findings],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_html(path: Path, clip: Path, found: Audit) -> None:
    """Write a self-contained page: what is wrong first, then curves; it shows no picture."""
    counts = {grade: sum(f.grade == grade for f in found.findings) for grade in _ORDER}
    verdict = "It can be used" if found.usable else "It cannot be used as it is"
    summary = (
        f"{verdict}: {counts['fail']} failed, {counts['warn']} with a warning, "
        f"{counts['pass']} good. {found.seen.seconds:.1f} s at "
        f"{found.seen.width}x{found.seen.height}."
    )
    rows = [
        (badge(f.grade), escape(f.name), escape(f.value), escape(f.cure))
        for f in sorted(found.findings, key=lambda finding: _ORDER.index(finding.grade))
    ]
    body = table(("", "what", "seen", "what to do"), rows) + _charts(found)
    write_page(path, f"Inspection of {clip.name}", summary, body)


def _charts(found: Audit) -> str:
    seen = found.seen
    light = seen.thumbs.mean((1, 2), dtype=np.float64)
    parts = ["<h2>Over the clip</h2>", plot("Light, 0 to 255", seen.seconds, [Curve("", light)])]
    if any(look.face for look in seen.spread):
        turned = [
            Curve("yaw", _column(seen.spread, lambda face: face.yaw)),
            Curve("pitch", _column(seen.spread, lambda face: face.pitch)),
        ]
        parts.append(plot("Head turn in degrees", seen.seconds, turned))
    if any(look.face for look in seen.stretch):
        first, last = seen.stretch[0].time, seen.stretch[-1].time
        title = f"Lip gap in parts of the eyes' distance, {last - first:.0f} s of the middle"
        gaps = Curve("", _column(seen.stretch, lambda face: face.gap))
        parts += [f"<h2>From {first:.1f} s</h2>", plot(title, last - first, [gaps], (), first)]
    return "".join(parts)


def _column(looks: list[Look], value: Callable[[Face], float]) -> np.ndarray:
    return np.array([np.nan if look.face is None else value(look.face) for look in looks])
