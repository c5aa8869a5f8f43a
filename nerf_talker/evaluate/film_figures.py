"""Figures that one video alone tells, with its sound but without a truth beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from nerf_talker.evaluate.boxes import Boxes
from nerf_talker.evaluate.film import Film
from nerf_talker.evaluate.lips import Series
from nerf_talker.evaluate.metrics.blinks import blinks, eye_openness
from nerf_talker.evaluate.metrics.silence import closed_in_silence
from nerf_talker.evaluate.rows import Heard
from nerf_talker.evaluate.sync_report import (
    NO_LSE,
    NO_VERDICT,
    LseFigures,
    LseVerdict,
    SyncFigures,
    SyncVerdict,
)


@dataclass(frozen=True)
class Scene:
    """What all rows of a report share.

    Attributes:
        truth: The true frames' film, empty without a truth.
        boxes: Mean box of each region.
        heard: What the sound says.
        width: Frame width in pixels.
        fps: Frames per second.
        knows_faces: Whether the reader can tell that a frame shows no face.
        sync: What the lip-sync expert says.
        lse: What the user's SyncNet says.
    """

    truth: Film
    boxes: Boxes
    heard: Heard
    width: int
    fps: float
    knows_faces: bool
    sync: SyncVerdict = NO_VERDICT
    lse: LseVerdict = NO_LSE


class FilmFigures(SyncFigures, LseFigures):
    """Lips, lags, steadiness and naturalness; see :class:`nerf_talker.evaluate.schema.Metrics`."""

    lipgap_std: float | None
    lipgap_range: float | None
    loudness_offset_frames: int | None
    loudness_confidence: float | None
    speech_offset_frames: int | None
    speech_confidence: float | None
    jitter: float | None
    brisque: float | None


class LiveFigures(TypedDict):
    """Liveliness; see :class:`nerf_talker.evaluate.figure_groups.MotionFigures`."""

    blinks_per_minute: float | None
    blink_seconds: float | None
    closed_in_silence: float | None


def film_figures(film: Film, scene: Scene, name: str) -> FilmFigures:
    """Lips, lags, steadiness and naturalness of the row ``name``."""
    gaps = film.gap_series()
    energy, speech = scene.heard.curves(gaps)
    known = gaps[np.isfinite(gaps)]
    return {
        **scene.sync.figures(name),
        **scene.lse.figures(name),
        "lipgap_std": float(known.std()) if known.size else None,
        "lipgap_range": float(np.ptp(np.quantile(known, (0.05, 0.95)))) if known.size else None,
        "loudness_offset_frames": None if energy is None else energy.best_lag,
        "loudness_confidence": None if energy is None else energy.confidence,
        "speech_offset_frames": None if speech is None else speech.best_lag,
        "speech_confidence": None if speech is None else speech.confidence,
        "jitter": film.jitter(scene.width),
        "brisque": known_mean(film.column("brisque.frame")),
    }


def live_figures(film: Film, scene: Scene) -> LiveFigures:
    """Blinks, and whether the mouth closes in silence."""
    blinking, energy = blinks(eye_openness(film.landmarks()), scene.fps), scene.heard.energy
    return {
        "blinks_per_minute": None if blinking is None else blinking.per_minute,
        "blink_seconds": None if blinking is None else blinking.seconds,
        "closed_in_silence": None
        if energy is None
        else closed_in_silence(film.gap_series(), energy),
    }


def without_face(film: Film, scene: Scene) -> int | None:
    """Frames that show no face, None where the reader cannot tell."""
    return int(np.isnan(film.gap_series()).sum()) if scene.knows_faces else None


def known_mean(values: Series) -> float | None:
    """Mean of the frames that have a value; None when none has."""
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if known.size else None
