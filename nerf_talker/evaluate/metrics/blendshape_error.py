"""Error of facial expression by region, in the manner of the action-unit error (AUE).

Definition: per blendshape the mean over frames of the squared difference of the scores, then the
sum over the region's blendshapes. Upper: brows (1-5), cheeks (6-8), eyes with gaze (9-22); lower:
jaw (23-26) and mouth (27-49); names and order are MediaPipe's. Scores in [0, 1], so the
figure has no unit. 0 is equality; lower is better. Variant: sum of mean squares, as in the AUE
scripts in circulation; MediaPipe's scores stand in for OpenFace's action units, so the numbers
compare with each other, not with published AUE.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UPPER = tuple(range(1, 23))
"""Brows, cheek puff and squints, blinks, gaze, eye squints and widening."""

LOWER = tuple(range(23, 50))
"""Jaw and mouth; the two nose sneers (50, 51) belong to neither."""


def blendshape_error(
    predicted: npt.NDArray[np.floating],
    truth: npt.NDArray[np.floating],
    region: tuple[int, ...],
) -> float | None:
    """The region's error of two (T, 52) score tracks; None when no frame has both."""
    apart = np.asarray(predicted, np.float64)[:, list(region)] - truth[:, list(region)]
    apart = apart[np.isfinite(apart).all(1)]
    return float((apart**2).mean(0).sum()) if len(apart) else None
