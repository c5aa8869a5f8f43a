"""``nerf-talker inspect CLIP``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Arguments:
    """Grade a recording before spending time on it; exit code 1 when it cannot be used.

    Attributes:
        clip: Video of one person facing the camera.
        json: File to write the findings to as JSON.
        html: File to write the findings to as a page with curves.
        models: Folder with model files, looked in first.
    """

    clip: tyro.conf.Positional[Path]
    json: Path | None = None
    html: Path | None = None
    models: Path | None = None


def run(argv: list[str]) -> int:
    """Run the verb with the arguments after its name; returns the exit code."""
    given = tyro.cli(Arguments, args=argv, prog="nerf-talker inspect")
    from nerf_talker.preprocess.audit import audit
    from nerf_talker.preprocess.audit_page import check_report_path, write_html, write_json

    for path in (given.json, given.html):
        if path is not None:
            check_report_path(path)
    found = audit(given.clip, given.models, sys.stderr.isatty())
    for finding in found.findings:
        cure = f" -> {finding.cure}" if finding.cure else ""
        print(f"{finding.grade:<5}{finding.name:<14}{finding.value}{cure}")
    print("usable" if found.usable else "not usable as it is")
    for write, path in ((write_json, given.json), (write_html, given.html)):
        if path is not None:
            write(path, given.clip, found)
            print(f"written: {path}")
    return 0 if found.usable else 1
