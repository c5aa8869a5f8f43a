"""Saving and restoring everything a run needs to go on exactly as if it had not stopped."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch

from nerf_talker.atomic import atomic_path
from nerf_talker.errors import AvatarError

VERSION = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically: a kill at any instant leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Through memory: torch's own file writer reports a full disk as an internal error.
    content = io.BytesIO()
    torch.save({"version": VERSION, **state}, content)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(content.getbuffer())
        stream.flush()
        os.fsync(stream.fileno())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises:
        AvatarError: The file is damaged or was made by a newer version.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AvatarError(f"{path}: damaged ({first}); delete it to start over") from None
    if state.get("version") != VERSION:
        raise AvatarError(
            f"{path}: checkpoint layout {state.get('version')}, this version reads {VERSION}"
        )
    return state


def latest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the highest step in ``folder``, or None."""
    return max(folder.glob("step-*.pt"), default=None)


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of ``step`` lies; names sort like steps."""
    return folder / f"step-{step:07d}.pt"


def remove_unfinished(folder: Path) -> None:
    """Delete what a kill within a save left behind; such files are hidden and never read."""
    for left in folder.glob(".*.pt"):
        left.unlink(missing_ok=True)
