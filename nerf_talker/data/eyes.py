"""The eyes of a dataset's person: ``eyes.npz``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nerf_talker.types import FloatArray


@dataclass(frozen=True)
class EyeTrack:
    """Eyes in F frames; the first of two is the one on the image's left side.

    Attributes:
        openness: (F, 2) from 0, this person's shut eye, to 1, the open eye.
        span: (2, 2) aperture (distance of the lids over the eye's width) of the shut and of the
            open eye, per eye.
        blinks: (B, 3) first frame, frame after the last, depth from 0 to 1.
        gaze: (F, 2) offset of the irises from the middle of the eyes, right and down in the image,
            in eye widths.
    """

    openness: FloatArray
    span: FloatArray
    blinks: FloatArray
    gaze: FloatArray

    def write(self, path: Path) -> None:
        """Write the arrays to an NPZ."""
        np.savez_compressed(path, **asdict(self))
