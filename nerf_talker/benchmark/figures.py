"""Which figures a table shows, and which way each of them is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """One column.

    Attributes:
        name: Key in the report's rows or in its speed.
        title: Heading.
        digits: After the point.
        better: ``up``, ``down``, a number it should be near, or None when neither is better.
        scale: A change this large is one that people see; the gate's floor for values near 0.
    """

    name: str
    title: str
    digits: int
    better: Literal["up", "down"] | float | None
    scale: float = 1.0

    def loss(self, value: float) -> float | None:
        """How bad a value is: lower is better; None when neither way is."""
        if self.better is None:
            return None
        if self.better == "up":
            return -value
        return value if self.better == "down" else abs(value - self.better)

    def heading(self) -> str:
        """Title with an arrow that tells which way is better."""
        if isinstance(self.better, float):
            return f"{self.title} → {self.better:g}"
        return self.title + {"up": " ↑", "down": " ↓", None: ""}[self.better]


FIGURES = (
    Figure("psnr", "PSNR", 2, "up"),
    Figure("psnr_face", "PSNR face", 2, "up"),
    Figure("psnr_mouth", "PSNR mouth", 2, "up"),
    Figure("ssim", "SSIM", 3, "up", 0.1),
    Figure("lpips", "LPIPS", 4, "down", 0.01),
    Figure("lpips_face", "LPIPS face", 4, "down", 0.01),
    Figure("lmd", "LMD", 2, "down"),
    Figure("lipgap_corr", "lip corr", 3, "up", 0.5),
    Figure("lipgap_lag_frames", "lip lag", 1, 0.0),
    Figure("lipgap_std_ratio", "lip std", 2, 1.0, 0.5),
    Figure("motion.lid_corr", "lid corr", 3, "up", 0.5),
    Figure("sync_offset_frames", "expert lag", 1, 0.0),
    Figure("sync_confidence", "expert conf", 2, "up", 0.5),
    Figure("sync_distance", "expert dist", 2, "down", 0.5),
    Figure("jitter", "jitter", 2, None),
    Figure("frames_without_face", "no face", 1, "down"),
    Figure("train_seconds", "train s", 0, None),
    Figure("render_fps", "render fps", 1, None),
)
