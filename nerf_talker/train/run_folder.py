"""The files of a run: config.yaml, metrics.jsonl, previews/, checkpoints/, avatar.safetensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.atomic import atomic_path
from nerf_talker.errors import ConfigError
from nerf_talker.types import ByteArray


@dataclass(frozen=True)
class RunFolder:
    """File names inside a run folder ``root``."""

    root: Path

    @property
    def config(self) -> Path:
        """The full resolved configuration of the run."""
        return self.root / "config.yaml"

    @property
    def metrics(self) -> Path:
        """One JSON object per logged step."""
        return self.root / "metrics.jsonl"

    @property
    def previews(self) -> Path:
        """PNG pictures of a validation frame beside its truth."""
        return self.root / "previews"

    @property
    def checkpoints(self) -> Path:
        """Everything needed to go on."""
        return self.root / "checkpoints"

    @property
    def avatar(self) -> Path:
        """What renders without the dataset; written when the run is complete."""
        return self.root / "avatar.safetensors"

    @property
    def is_unfinished(self) -> bool:
        """Whether training has begun and not ended."""
        begun = self.config.is_file() and any(self.checkpoints.glob("step-*.pt"))
        return begun and not self.avatar.is_file()

    def start(
        self,
        resolved: str,
        reads_as: Callable[[str], str] = str,
        parted: Callable[[str, str], str] = lambda kept, wanted: "",
    ) -> None:
        """Make the folder and remember its configuration.

        Args:
            resolved: The full configuration as YAML.
            reads_as: What a configuration kept by an older version says today.
            parted: Where a kept configuration and the wanted one differ, for a person.

        Raises:
            ConfigError: The folder holds something learned with another configuration.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        learned = self.avatar.is_file() or any(self.checkpoints.glob("step-*.pt"))
        kept = self.config.read_text(encoding="utf-8") if self.config.is_file() else ""
        if learned and reads_as(kept) != resolved:
            named = parted(kept, resolved)
            raise ConfigError(
                f"{self.root}: holds a run with another configuration or dataset"
                f"{f' ({named})' if named else ''}; "
                "choose a new run folder or delete this one"
            )
        write_text(self.config, resolved)

    def keep_metrics_until(self, step: int) -> None:
        """Drop the rows that a resumed run will write again."""
        if not self.metrics.is_file():
            return
        kept = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                # The last line of a killed run may be cut.
                continue
            if row["step"] <= step:
                kept.append(line + "\n")
        write_text(self.metrics, "".join(kept))

    def log(self, row: dict[str, Any]) -> None:
        """Append one row to the metrics."""
        with self.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def preview(self, step: int, truth: ByteArray, rendered: ByteArray) -> None:
        """Write truth and rendering side by side, (H, W, 3) uint8 each."""
        import imageio.v3 as imageio

        self.previews.mkdir(exist_ok=True)
        picture = np.concatenate([truth, rendered], 1)
        imageio.imwrite(self.previews / f"step-{step:07d}.png", picture)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
