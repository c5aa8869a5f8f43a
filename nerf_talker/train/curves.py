"""Curves for TensorBoard, where it is installed; metrics.jsonl holds the same numbers anyway."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Curves:
    """Writes the numbers of log rows as scalars below ``folder``."""

    def __init__(self, writer: Any) -> None:
        """``writer`` is a TensorBoard ``SummaryWriter``."""
        self._writer = writer

    @classmethod
    def where_installed(cls, folder: Path, step: int) -> Curves | None:
        """Curves that go on after ``step``; None without TensorBoard."""
        if find_spec("tensorboard") is None:
            return None
        from torch.utils.tensorboard import SummaryWriter

        return cls(SummaryWriter(str(folder), purge_step=step + 1))

    def log(self, row: dict[str, Any]) -> None:
        """Add one row of metrics."""
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()
