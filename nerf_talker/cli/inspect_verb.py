"""``nerf-talker inspect CLIP``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Arguments:
    """Grade a recording before spending time on it; exit code 1 when it cannot be used.

    Attributes:
        clip: Video of one person facing the camera.
        json: Print the findings as JSON.
        models: Folder with model files, looked in first.
    """

    clip: tyro.conf.Positional[Path]
    json: bool = False
    models: Path | None = None


def run(argv: list[str]) -> int:
    """Run the verb with the arguments after its name; returns the exit code."""
    given = tyro.cli(Arguments, args=argv, prog="nerf-talker inspect")
    from nerf_talker.preprocess.audit import audit

    findings = audit(given.clip, given.models)
    usable = all(finding.grade != "fail" for finding in findings)
    if given.json:
        import json

        content = {
            "clip": str(given.clip),
            "usable": usable,
            "findings": [asdict(finding) for finding in findings],
        }
        print(json.dumps(content, indent=1))
        return 0 if usable else 1
    for finding in findings:
        cure = f" -> {finding.cure}" if finding.cure else ""
        print(f"{finding.grade:<5}{finding.name:<12}{finding.value}{cure}")
    print("usable" if usable else "not usable as it is")
    return 0 if usable else 1
