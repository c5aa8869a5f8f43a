"""Being asked to stop: by Ctrl-C, or by SIGTERM from a scheduler."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

WATCHED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop and did; ``exit_code`` is the shell's for that signal."""

    def __init__(self, message: str, number: int) -> None:
        """``message`` is one sentence for the person who asked."""
        super().__init__(message)
        self.exit_code = 128 + number

    @classmethod
    def after(cls, step: int, number: int | None) -> Interrupted:
        """Stopped after a step that was saved, by a signal here or in another process."""
        text = f"stopped after step {step}, which is saved; the same command goes on from there"
        return cls(text, number or signal.SIGTERM)

    @classmethod
    def unsaved(cls, number: int | None) -> Interrupted:
        """Stopped where there is nothing new that is worth saving."""
        text = "stopped; the same command goes on from the last checkpoint"
        return cls(text, number or signal.SIGTERM)


class StopSignals:
    """While entered, a signal waits for the end of the step; the second one does not.

    Attributes:
        patient: Whether a signal may wait; before the first step there is nothing to save.
        received: The signal that waits.
    """

    def __init__(self) -> None:
        """Nothing is watched before the block is entered."""
        self.patient = False
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        # Only the main thread may watch signals; elsewhere the caller keeps its own ways.
        if threading.current_thread() is threading.main_thread():
            for number in WATCHED:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if not self.patient or self.received is not None:
            raise Interrupted.unsaved(number)
        self.received = number
