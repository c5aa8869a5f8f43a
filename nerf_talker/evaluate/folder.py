"""The report folder: made if needed, and freed of what a killed evaluation left behind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from nerf_talker.errors import InputError


def prepare_folder(folder: Path, names: Iterable[str]) -> None:
    """Make the folder and remove temporaries of its files, e.g. ``.pred.4711.mkv``.

    A process that is killed cannot remove the hidden file it was writing through
    :func:`nerf_talker.atomic.atomic_path`; a lossless video can be large.

    Args:
        folder: The report folder.
        names: The files an evaluation writes there.

    Raises:
        InputError: The folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); choose another report folder"
        ) from None
    for name in map(Path, names):
        leftover = re.compile(rf"\.{re.escape(name.stem)}\.\d+{re.escape(name.suffix)}")
        for path in folder.glob(f".{name.stem}.*{name.suffix}"):
            if leftover.fullmatch(path.name):
                path.unlink(missing_ok=True)
