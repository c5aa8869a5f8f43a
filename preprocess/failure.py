"""What a failing stage says: its name, the frame it was at, the cause and the cure."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from nerf_talker.atomic import atomic_path
from nerf_talker.errors import NerfTalkerError, StageError
from nerf_talker.preprocess.stage import WORK, Stage, StageContext

FAILURE = f"{WORK}/failure.txt"


def attempt(stage: Stage, context: StageContext) -> dict[str, Any]:
    """Run a stage and return its notes.

    Raises:
        NerfTalkerError: As the stage raised it, with the stage and the frame named.
        StageError: The stage raised what no stage should; the traceback is in ``work/failure.txt``.
        OSError: The operating system refused something, such as space on the disk.
    """
    try:
        return stage.run(context)
    except NerfTalkerError as error:
        raise type(error)(f"{_place(stage, context)}: {error}") from None
    except OSError:
        raise
    except MemoryError:
        raise StageError(
            f"{_place(stage, context)}: memory ran out; close other programs or choose a smaller "
            "--size, then run the same command again"
        ) from None
    except Exception as error:
        _note(context.root, traceback.format_exc())
        reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
        raise StageError(
            f"{_place(stage, context)}: stopped unexpectedly ({reason}); what was finished is kept "
            f"and the same command goes on from there; should it stop there again, cut the clip "
            f"around this place or report the fault with {context.root / FAILURE}"
        ) from error


def forget_failure(dataset: Path) -> None:
    """Remove the traceback of an earlier run."""
    (dataset / FAILURE).unlink(missing_ok=True)


def _place(stage: Stage, context: StageContext) -> str:
    frame = context.journey.frame
    return stage.name if frame is None else f"{stage.name}, frame {frame}"


def _note(dataset: Path, text: str) -> None:
    with atomic_path(dataset / FAILURE) as temporary:
        temporary.write_text(text, encoding="utf-8")
