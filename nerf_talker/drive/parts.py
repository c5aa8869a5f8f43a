"""Finished parts of an output in a hidden folder, which a killed rendering goes on from."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

RESUME = "resume.txt"


def begin_parts(folder: Path, resume: str | None, names: Iterable[str]) -> int:
    """Make the folder ready; parts made for something else are thrown away.

    Args:
        folder: Where parts lie.
        resume: What they depend on; None for a fresh start that cannot be gone on with.
        names: Of the parts in order, without end.

    Returns:
        How many parts, from the first on, can be used.
    """
    note = folder / RESUME
    if resume is None or not note.is_file() or note.read_text(encoding="utf-8") != resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if resume is None:
        return 0
    note.write_text(resume, encoding="utf-8")
    return sum(1 for _ in takewhile(lambda name: (folder / name).is_file(), names))
