"""Ridge regression on principal components, its strength chosen by contiguous folds.

Used where the evaluation must learn something from the training frames: reading a lip gap from a
small picture, and expecting one from the sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.evaluate.lips import Series

COMPONENTS = 120
"""Principal components kept: more only fit noise with the 1000 to 2000 frames there are."""

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Tried ridge strengths, in units of the mean squared singular value."""

FOLDS = 5
"""Contiguous parts of the time axis; random ones would leak through neighbouring frames."""


@dataclass(frozen=True)
class Ridge:
    """A fitted linear map from P features to one number.

    Attributes:
        mean: (P,) mean features.
        weights: (P,) output per unit of feature.
        offset: Output at the mean features.
    """

    mean: Series
    weights: Series
    offset: float

    @classmethod
    def fit(cls, features: Series, targets: Series) -> Ridge:
        """Fit on (N, P) features of consecutive frames and their (N,) targets."""
        every = np.arange(len(targets))
        errors = np.zeros(len(STRENGTHS))
        for held in np.array_split(every, FOLDS) if len(targets) >= 2 * FOLDS else []:
            rest = np.setdiff1d(every, held)
            for k, fitted in enumerate(cls._path(features[rest], targets[rest])):
                errors[k] += float(np.sum((targets[held] - fitted(features[held])) ** 2))
        return cls._path(features, targets)[int(np.argmin(errors))]

    @classmethod
    def _path(cls, features: Series, targets: Series) -> list[Ridge]:
        """One regression per strength."""
        mean, offset = features.mean(0), float(targets.mean())
        left, singular, right = np.linalg.svd(features - mean, full_matrices=False)
        unit = float(np.mean(singular**2)) or 1.0
        kept = min(COMPONENTS, len(singular))
        left, singular, right = left[:, :kept], singular[:kept], right[:kept]
        wanted = singular * (left.T @ (targets - offset))
        return [
            cls(mean, right.T @ (wanted / (singular**2 + strength * unit)), offset)
            for strength in STRENGTHS
        ]

    def __call__(self, features: Series) -> Series:
        """(...,) outputs of (..., P) features."""
        return np.asarray(self.offset + (features - self.mean) @ self.weights)
