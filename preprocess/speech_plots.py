"""What the speech features heard, over the time of a clip, as figures for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.articulation import COLUMNS, Articulation
from nerf_talker.audio.phones import PHONES, Phones
from nerf_talker.audio.phonetics import CLASS_NAMES, CURVES
from nerf_talker.preprocess.charts import Curve, picture, plot
from nerf_talker.preprocess.page import jpeg
from nerf_talker.types import AudioFeatures, ByteArray

# A strip has no more columns than this; a row of a named strip is this high, in pixels.
_MOST_COLUMNS, _ROW_HEIGHT = 1400, 10
_PLAIN_HEIGHT = 84

Values = npt.NDArray[np.floating]


def speech_plots(audio: AudioFeatures, seconds: float, lip_gap: Values) -> str:
    """Figures of the features; of those that mean something, each by its meaning.

    Args:
        audio: Features of the whole clip.
        seconds: The clip's length.
        lip_gap: (F,) of its frames.
    """
    title = f"Speech features {audio.extractor}"
    if audio.extractor == Articulation.name:
        return _articulation(audio, seconds, lip_gap)
    if audio.extractor == Phones.name:
        return _strip(f"{title}: probabilities of phones", seconds, audio.values, PHONES)
    return _strip(f"{title}, each standardised", seconds, _standardised(audio.values))


def _articulation(audio: AudioFeatures, seconds: float, lip_gap: Values) -> str:
    """Posteriors, articulatory curves, and the lips that were heard beside those that are seen."""
    curves = {name: audio.values[:, COLUMNS.index(name)] for name in CURVES}

    def drawn(title: str, names: Sequence[str]) -> str:
        return plot(title, seconds, [Curve(name.replace("_", " "), curves[name]) for name in names])

    times = audio.offset + np.arange(len(audio.values)) / audio.rate
    frames = (np.arange(len(lip_gap)) + 0.5) * seconds / max(len(lip_gap), 1)
    heard = np.interp(frames, times, curves["opening"])
    both = [Curve("lip gap seen", standard(lip_gap)), Curve("opening heard", standard(heard))]
    posteriors = audio.values[:, : len(CLASS_NAMES)]
    return "".join(
        [
            _strip("Speech sounds heard: probabilities", seconds, posteriors, CLASS_NAMES),
            drawn("Articulation heard: lips", CURVES[:4]),
            drawn("Articulation heard: jaw, tongue and voice", CURVES[4:]),
            plot("Lips seen and heard, standardised", seconds, both),
        ]
    )


def standard(values: Values) -> npt.NDArray[np.float64]:
    """Values of mean 0 and deviation 1."""
    values = np.asarray(values, np.float64)
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-9))


def _standardised(values: Values) -> npt.NDArray[np.float64]:
    """(A, D) features as shares of the range of 2.5 deviations around each one's mean."""
    values = values.astype(np.float64)
    spread = np.maximum(values.std(0), 1e-6)
    return np.asarray((values - values.mean(0)) / spread / 5 + 0.5)


def _strip(title: str, seconds: float, shares: Values, names: Sequence[str] = ()) -> str:
    """A figure of (A, D) values in [0, 1]: time to the right, the first below."""
    height = max(_ROW_HEIGHT * len(names), _PLAIN_HEIGHT)
    return picture(title, seconds, jpeg(_heat(shares, height)), height, names)


def _heat(shares: Values, height: int) -> ByteArray:
    """(height, columns, 3) picture of (A, D) values in [0, 1]."""
    import cv2

    grey = np.round(np.clip(shares, 0, 1) * 255).astype(np.uint8).T[::-1]
    columns = min(len(shares), _MOST_COLUMNS)
    narrow = cv2.resize(grey, (columns, len(grey)), interpolation=cv2.INTER_AREA)
    tall = cv2.resize(narrow, (columns, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.applyColorMap(tall, cv2.COLORMAP_VIRIDIS)[..., ::-1], np.uint8)
