"""Grading what lies about the person: light that flickers or drifts, a background that moves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.preprocess.findings import Finding, graded
from nerf_talker.preprocess.glance import Glance
from nerf_talker.types import BoolArray
from nerf_talker.weights.lookup import VARIABLE

# Less of the picture than this says nothing about the background.
LEAST_BACKGROUND = 0.02
# Frames compared for motion, spread over the clip.
COMPARED = 60
# Grey levels, about three times a camera's noise in the small copies.
MOVED = 6.0
SLOW_SECONDS = 1.0


def grade(seen: Glance) -> list[Finding]:
    """Findings about cuts, light and background."""
    return [_scenes(seen), *_light(seen), _background(seen)]


def _scenes(seen: Glance) -> Finding:
    edges = np.array([0.0, *seen.cuts, seen.seconds])
    lengths = np.diff(edges)
    if len(lengths) == 1:
        return Finding("scenes", "one, without a cut", "pass", "", 1.0)
    edges[[0, -1]] = -np.inf, np.inf
    times = [look.time for look in seen.spread if look.face is not None]
    held = np.histogram(times, edges)[0] > 0
    longest = float(lengths[held].max(initial=0.0))
    share = longest / max(seen.seconds, 1e-3)
    value = f"{len(lengths)}, the longest with a face {longest:.1f} s ({share:.0%} of the clip)"
    # Preprocessing takes the longest; one that is less than half must be asked for.
    cure = "only one scene is used: choose it with preprocess --scene N, or record without cuts"
    return graded("scenes", value, share, (1.0, 0.5), cure)


def _light(seen: Glance) -> list[Finding]:
    from scipy.ndimage import uniform_filter1d

    level = seen.thumbs[:, _region(seen)].mean(1, dtype=np.float64)
    pace = len(seen.thumbs) / max(seen.seconds, 1e-3)
    slow = uniform_filter1d(level, max(round(SLOW_SECONDS * pace), 1), mode="nearest")
    mean = max(float(slow.mean()), 1.0)
    flicker = 100 * float((level - slow).std()) / mean
    drift = 100 * float(np.ptp(np.percentile(slow, (2, 98)))) / mean
    return [
        # 0.02 to 0.2 % on our clips; the eye sees 1 %.
        graded(
            "flicker", f"{flicker:.2f} % of the light", flicker, (0.8, 20),
            "use daylight or lamps that do not flicker, and an exposure of 1/50 s (1/60 s)",
        ),
        # Automatic exposure and clouds; the colour of the head is learned once for the clip.
        graded(
            "light drift", f"{drift:.1f} % over the clip", drift, (10, 60),
            "lock exposure and white balance; avoid changing daylight",
        ),
    ]  # fmt: skip


def _region(seen: Glance) -> BoolArray:
    """Where light is measured: the background or, where there is none, all of the picture."""
    whole = np.ones(seen.thumbs.shape[1:], bool)
    if seen.background is None or seen.background.mean() < LEAST_BACKGROUND:
        return whole
    return seen.background


def _background(seen: Glance) -> Finding:
    if seen.background is None:
        cure = f"fetch the person model with 'nerf-talker models fetch', or set {VARIABLE}"
        return Finding("background", "not looked at", "warn", cure)
    if seen.background.mean() < LEAST_BACKGROUND:
        return Finding("background", "hidden behind the person", "pass", "", 0.0)
    moving = _moving_share(seen.thumbs[:, seen.background])
    value = "still" if moving < 0.005 else f"moves in {moving:.0%} of its area"
    # One picture stands for the background of the whole clip.
    cure = "use a tripod and a still background; only one picture of it is kept"
    return graded("background", value, moving, (0.1, 0.6), cure)


def _moving_share(pixels: npt.NDArray[np.uint8]) -> float:
    """Share of the pixels of (T, P) frames that differ from their usual value a tenth of the time.

    A change of the light as a whole is not motion.
    """
    shown = pixels[np.linspace(0, len(pixels) - 1, min(COMPARED, len(pixels))).astype(int)]
    values = shown.astype(np.float64)
    values *= values.mean() / np.maximum(values.mean(1, keepdims=True), 1)
    away = np.abs(values - np.median(values, 0))
    return float((np.percentile(away, 90, axis=0) > MOVED).mean())
