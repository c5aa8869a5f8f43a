"""BRISQUE: how natural a picture looks by the statistics of its brightness, without a truth.

Mittal, Moorthy and Bovik, *No-reference image quality assessment in the spatial domain* (2012). The
36 features are OpenCV's, the regression that of the authors, trained on the LIVE database. From 0
to 100, lower is better; it was made for photographs and their compression, so read a rendering's
score beside the truth's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerf_talker.errors import WeightsError
from nerf_talker.types import ByteArray

WEIGHTS = "brisque_live.npz"
SMALLEST = 32
"""Pixels of the shorter side from which the statistics mean something at half size too."""


class Brisque:
    """The regression with OpenCV's features."""

    def __init__(self, path: Path) -> None:
        """Read the registry's file.

        Raises:
            WeightsError: This OpenCV has no quality module.
        """
        import cv2

        if not hasattr(cv2, "quality"):
            raise WeightsError(
                "this OpenCV has no quality module; install opencv-contrib-python alone"
            )
        with np.load(path, allow_pickle=False) as arrays:
            self._model = {name: arrays[name] for name in arrays.files}

    def __call__(self, picture: ByteArray) -> float:
        """The score of an (H, W, 3) uint8 RGB picture; NaN where it is too small or flat."""
        import cv2

        if min(picture.shape[:2]) < SMALLEST or np.ptp(picture) == 0:
            return float("nan")
        model, bgr = self._model, np.ascontiguousarray(picture[..., ::-1])
        features = np.asarray(cv2.quality.QualityBRISQUE.computeFeatures(bgr), np.float64).ravel()
        scaled = 2 * (features - model["low"]) / (model["high"] - model["low"]) - 1
        apart = ((model["vectors"] - scaled) ** 2).sum(1)
        score = float(model["weights"] @ np.exp(-model["gamma"] * apart) - model["rho"])
        return float(np.clip(score, 0, 100)) if np.isfinite(score) else float("nan")
