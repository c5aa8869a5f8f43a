"""The mouth code: lips and jaw as a few standardised principal components.

Both drives meet in it. Landmarks are projected onto it; the audio encoder predicts it. Held softly
to the range seen in training, so that an unseen pose of the lips never streaks.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from nerf_talker.config import StrictModel
from nerf_talker.geometry.mesh import LIPS
from nerf_talker.types import BoolArray, FloatArray

# Chin, jaw line and the skin around the mouth, in MediaPipe's numbering.
JAW = (152, 148, 176, 149, 150, 136, 172, 377, 400, 378, 379, 365, 397, 199, 18, 200, 164, 2)
MOUTH_POINTS = LIPS + JAW


class MouthCodeConfig(StrictModel):
    """``components`` of the code, and the ``limit`` in standard deviations it is held to.

    ``source`` is what the head learns the code from: ``landmarks``, whose code the audio encoder
    then predicts, or ``sound``, through a network that learns with the head by the colour alone.
    Landmarks cannot move the lips then.
    """

    components: int = Field(default=16, gt=0)
    limit: float = Field(default=3.5, gt=0)
    source: Literal["landmarks", "sound"] = "landmarks"


class MouthCode(nn.Module):
    """Linear code of (K, 3) canonical mouth landmarks, and its inverse."""

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, config: MouthCodeConfig) -> None:
        super().__init__()
        coordinates = 3 * len(MOUTH_POINTS)
        self.limit = config.limit
        self.register_buffer("mean", torch.zeros(coordinates))
        self.register_buffer("basis", torch.zeros(config.components, coordinates))
        self.register_buffer("scale", torch.ones(config.components))

    @torch.no_grad()
    def fit(self, landmarks: FloatArray, valid: BoolArray) -> None:
        """Fit mean, basis and standard deviations.

        Args:
            landmarks: (F, K, 3) canonical mouth landmarks of the training frames, metres.
            valid: (F,) frames to fit to.
        """
        flat = landmarks[valid].reshape(int(valid.sum()), -1).astype(np.float64)
        mean = flat.mean(0)
        _, spread, basis = np.linalg.svd(flat - mean, full_matrices=False)
        count = min(len(self.basis), len(basis))
        self.mean.copy_(torch.from_numpy(mean))
        self.basis[:count] = torch.from_numpy(basis[:count])
        deviation = spread[:count] / np.sqrt(len(flat))
        # Below 20 um a component is rounding noise of the landmarks, not motion.
        self.scale[:count] = torch.from_numpy(np.maximum(deviation, 2e-5))

    def forward(self, landmarks: Tensor) -> Tensor:
        """(T, C) standardised code of (T, K, 3) landmarks, softly limited."""
        flat = landmarks.reshape(len(landmarks), -1) - self.mean
        return self.limited(flat @ self.basis.T / self.scale)

    def limited(self, code: Tensor) -> Tensor:
        """Linear near zero, saturating at ``limit`` standard deviations."""
        return self.limit * torch.tanh(code / self.limit)

    def landmarks(self, code: Tensor) -> Tensor:
        """(T, K, 3) metres from (T, C); exact where the code was not limited."""
        free = self.limit * torch.atanh((code / self.limit).clamp(-0.999, 0.999))
        return ((free * self.scale) @ self.basis + self.mean).reshape(len(code), -1, 3)
