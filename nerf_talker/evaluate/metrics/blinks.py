"""Blinks of one video: how many a minute, and how long.

Eye openness: height of the lid opening over the eye's width, mean of both eyes, the height being
the mean of two lid pairs (Soukupova and Cech, 2016), divided by the video's own 90th percentile.
A blink begins when openness falls below :data:`SHUT` and ends when it is back above :data:`OPEN`;
its length is the time below :data:`OPEN`. Longer than :data:`LONGEST` seconds it is a closed eye or
a look down and does not count. Compare with the truth's own: neither more nor less is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nerf_talker.evaluate.lips import correlation

Series = npt.NDArray[np.float64]

EYES = (
    (33, 133, ((160, 144), (158, 153))),
    (263, 362, ((387, 373), (385, 380))),
)
"""Corners and two pairs of lid points of each eye."""

SHUT, OPEN, LONGEST = 0.5, 0.7, 0.6


@dataclass(frozen=True)
class Blinks:
    """Blinks per minute of watched video, and their mean length in seconds (None without any)."""

    per_minute: float
    seconds: float | None


def eye_openness(landmarks: npt.NDArray[np.floating]) -> Series:
    """(T,) openness of (T, 478, 2 or 3) landmarks, 1 when wide open; NaN without a face."""
    points = np.asarray(landmarks, np.float64)[..., :2]

    def apart(one: int, other: int) -> Series:
        return np.asarray(np.linalg.norm(points[:, one] - points[:, other], axis=-1))

    eyes = [sum(apart(*pair) for pair in pairs) / (2 * apart(*corners)) for *corners, pairs in EYES]
    ratio = np.asarray((eyes[0] + eyes[1]) / 2, np.float64)
    known = ratio[np.isfinite(ratio)]
    wide = float(np.quantile(known, 0.9)) if known.size else 0.0
    return np.asarray(ratio / wide if wide > 1e-9 else np.full(len(ratio), np.nan))


def lid_correlation(
    predicted: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]
) -> float | None:
    """Correlation of the eyes' openness in (T, 478, 2 or 3) landmarks with the truth's.

    None where the truth's eyes never shut in a frame that both show a face in, for then trackers'
    noise is all that there is, and where the predicted ones never move.
    """
    own, true = eye_openness(predicted), eye_openness(truth)
    if not (true[np.isfinite(own)] < SHUT).any():
        return None
    return correlation(own, true)


def blinks(openness: Series, fps: float) -> Blinks | None:
    """Blinks in (T,) openness; None when less than a second was seen."""
    seen = int(np.isfinite(openness).sum())
    if seen < fps:
        return None
    lengths, start, shut = [], None, False
    for frame, value in enumerate([*openness, np.inf]):
        if value < OPEN:
            start = frame if start is None else start
            shut = shut or value < SHUT
        elif value >= OPEN:
            if start is not None and shut and frame - start <= LONGEST * fps:
                lengths.append((frame - start) / fps)
            start, shut = None, False
    minutes = seen / fps / 60
    return Blinks(len(lengths) / minutes, float(np.mean(lengths)) if lengths else None)
