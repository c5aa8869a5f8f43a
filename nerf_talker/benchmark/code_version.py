"""Which code measured: a digest of every source file that decides a figure."""

from __future__ import annotations

import hashlib
import subprocess
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

PARTS = (
    *("nerf_talker.audio", "nerf_talker.cuda_ext", "nerf_talker.data", "nerf_talker.drive"),
    *("nerf_talker.evaluate", "nerf_talker.field", "nerf_talker.geometry", "nerf_talker.losses"),
    *("nerf_talker.ops", "nerf_talker.preprocess", "nerf_talker.render", "nerf_talker.train"),
    "nerf_talker.weights",
)
"""Packages whose code can move a figure; commands and this package only pass figures on."""

MODULES = "nerf_talker"
"""The package whose own modules, such as its types, count too: not what lies below it."""

_SUFFIXES = {".py", ".h", ".cpp", ".cu", ".npz", ".safetensors"}


@lru_cache(maxsize=1)
def code_digest() -> str:
    """16 hex digits over names and contents of the sources of :data:`PARTS` and :data:`MODULES`."""
    digest = hashlib.sha256()
    for part, pattern in [*((part, "**/*") for part in PARTS), (MODULES, "*.py")]:
        root = Path(str(files(part)))
        for path in sorted(root.glob(pattern)):
            if path.suffix in _SUFFIXES and path.is_file():
                digest.update(f"{part}/{path.relative_to(root)}\n".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def commit() -> str | None:
    """The checked-out git commit of the package, ``+`` after it when files differ; else None."""
    root = Path(str(files("nerf_talker.evaluate"))).resolve()

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
