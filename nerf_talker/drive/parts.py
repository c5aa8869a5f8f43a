"""Finished parts of an output in a hidden folder, which a killed rendering goes on from."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from nerf_talker.errors import InputError

RESUME = "resume.txt"


def new_folder(path: Path) -> Path:
    """The folder to fill under another name and put in place; a link leads to its target.

    Raises:
        InputError: It is the folder that the program runs in, or above it, which stays in place.
    """
    if path.is_symlink():
        path = path.resolve()
    if path.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise InputError(f"{path}: is where the program runs; name a folder to make in it")
    return path


def begin_parts(folder: Path, made_of: str, go_on: bool, names: Iterable[str]) -> int:
    """Make the folder ready; parts made of something else are thrown away.

    Args:
        folder: Where parts lie.
        made_of: What they depend on; kept beside them.
        go_on: Use those that are there, rather than beginning anew.
        names: Of the parts in order, without end.

    Returns:
        How many parts, from the first on, can be used.
    """
    note = folder / RESUME
    if not go_on or not note.is_file() or note.read_text(encoding="utf-8") != made_of:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(made_of, encoding="utf-8")
    return sum(1 for _ in takewhile(lambda name: (folder / name).is_file(), names))
