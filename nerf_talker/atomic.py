"""Files that are either complete or absent, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, put in its place when the block ends well.

    The name is hidden and the process's own, so that two processes do not share it; it keeps the
    suffix, since some writers choose the format by it. After an error nothing is left behind.

    Args:
        path: The file to make; its folder must exist.

    Yields:
        Where to write meanwhile.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
