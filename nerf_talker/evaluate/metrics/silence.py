"""Does the mouth close when nobody speaks?

Definition: of the silent frames in which a face was seen, the share whose lip gap is at most
:data:`CLOSED` of the distance of the eyes. A frame is silent when its log energy, like that of its
two neighbours, lies :data:`QUIETER` dB or more below the clip's 95th percentile. In [0, 1]; higher
is better, but read it beside the truth's own: some people rest with open lips.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]

CLOSED = 0.03
"""Lip gap in units of the eyes' distance, about 2.7 mm."""

QUIETER = 30.0

FEWEST = 5
"""Silent frames below which a share means nothing."""


def silent_frames(energy: Series) -> npt.NDArray[np.bool_]:
    """(T,) whether the frame and its neighbours are silent, of (T,) natural-log mean squares."""
    finite = energy[np.isfinite(energy)]
    if not finite.size:
        return np.zeros(len(energy), np.bool_)
    speech = float(np.quantile(finite, 0.95))
    quiet = energy <= speech - QUIETER * np.log(10) / 10
    padded = np.pad(quiet, 1, mode="edge")
    return np.asarray(padded[:-2] & padded[1:-1] & padded[2:], np.bool_)


def closed_in_silence(gaps: Series, energy: Series) -> float | None:
    """The share for (T,) lip gaps; None when fewer than :data:`FEWEST` frames are silent."""
    watched = silent_frames(energy)[: len(gaps)] & np.isfinite(gaps)
    return float((gaps[watched] <= CLOSED).mean()) if watched.sum() >= FEWEST else None
