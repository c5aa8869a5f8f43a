"""Is this file the one the registry means? By its bytes, or by its arrays for an npz."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from nerf_talker.weights.registry import ModelFile


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def content_sha256(path: Path) -> str:
    """Hex sha256 of an npz file's arrays: name, dtype, shape and bytes, in name order.

    Raises:
        ValueError: The file is no npz or holds pickled objects.
    """
    digest = hashlib.sha256()
    with np.load(path, allow_pickle=False) as arrays:
        for name in sorted(arrays.files):
            value = np.ascontiguousarray(arrays[name])
            digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
            digest.update(value.tobytes())
    return digest.hexdigest()


def matches(model: ModelFile, path: Path) -> bool:
    """Whether ``path`` holds exactly ``model``."""
    if path.stat().st_size == model.size and file_sha256(path) == model.sha256:
        return True
    if model.content_sha256 is None:
        return False
    try:
        return content_sha256(path) == model.content_sha256
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
        return False
