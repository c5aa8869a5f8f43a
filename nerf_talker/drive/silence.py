"""When someone speaks, so that silence closes the mouth.

Sound is compared with the loudest around it and with the recording's noise, never with a fixed
level, so loudness does not matter; a recording in which nothing is as loud as speech holds none.
Short pauses belong to speech: there the lips do what the encoder says, on the way between sounds.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.quality import BLOCK_SECONDS, QUIETEST_SPEECH_DB
from nerf_talker.types import AudioFeatures, FloatArray

# The loudest around a moment falls by this much a second on either side.
FALL_DB = 5.0
# So far below the loudest around it nothing is speech but the ends of words.
BELOW_DB = 28.0
# Nor is what hardly stands out of the recording's noise, unless the noise is nearly as loud as the
# speech: then only an extractor's voice activity tells them apart.
NOISE_PERCENTILE, ABOVE_NOISE_DB, NOISY_DB = 5, 5.0, 15.0
# An extractor's voice activity, averaged over 0.1 s, below which nobody speaks.
LEAST_ACTIVITY = 0.25
ACTIVITY_ROWS = 5
# Shorter pauses are closures of stops, gaps between words and quick breaths.
SHORTEST_PAUSE = 0.3
# Shorter sounds between pauses are clicks and the like.
SHORTEST_SPEECH = 0.06
# Seconds from closed to what the sound says, and back. Lips have narrowed when the last sound dies
# away, and part as the first begins: in a minute of a newsreader the gap before 18 pauses is at its
# narrowest 0.06 s before the level drops, and is as usual again 0.05 s after it rises.
RAMP = 0.1
OPENS_AFTER = 0.05  # seconds after speech begins at which it has all of the mouth
# Seconds of sound after a moment that say all there is to say of a pause at it.
KNOWN = SHORTEST_PAUSE + RAMP


def openness_of_levels(
    levels: FloatArray,
    fps: float,
    frames: int,
    heard: AudioFeatures | None = None,
    activity: int | None = None,
) -> FloatArray:
    """How much of the speech's mouth each frame shows: 0 closed, 1 as the sound says.

    Args:
        levels: (blocks,) of the whole sound, see :func:`nerf_talker.audio.quality.block_levels`.
        fps: Video frames per second.
        frames: T, how many.
        heard: The sound's speech features.
        activity: The column of theirs that tells how likely someone speaks, if one does.

    Returns:
        (T,) in [0, 1]; a pause is closed but for its last 0.05 s, where the mouth begins to open.
    """
    return _ramped(_speech(levels, heard, activity), np.arange(frames) / fps)


def openness_so_far(
    levels: FloatArray,
    seconds: float,
    heard: AudioFeatures,
    activity: int | None,
    is_over: bool,
) -> float:
    """:func:`openness_of_levels` of one moment, of a sound that may go on after what was heard.

    If so, a silence still too short to be a pause counts as speech: most become no pause.

    Args:
        levels: (blocks,) heard so far, with :data:`KNOWN` seconds after the moment for all that
            a pause says about it.
        seconds: The moment, after the first block's beginning.
        heard: Features on the same clock.
        activity: As of :func:`openness_of_levels`.
        is_over: Whether the sound ends with the last block.
    """
    if not len(levels):
        return 0.0
    speaks = _speech(levels, heard, activity)
    last = np.flatnonzero(speaks)[-1:] + 1
    if (
        not is_over
        and len(last)
        and (len(speaks) - last[0]) * BLOCK_SECONDS < SHORTEST_PAUSE - 1e-6
    ):
        speaks[last[0] :] = True
    return float(_ramped(speaks, np.asarray([seconds]))[0])


def _speech(
    levels: FloatArray, heard: AudioFeatures | None, activity: int | None
) -> npt.NDArray[np.bool_]:
    """(blocks,) in which someone speaks, with the short pauses between words."""
    speaks = _loud(levels)
    if heard is not None and activity is not None:
        speaks &= _active(heard, activity, len(speaks))
    speaks = _without_short(speaks, True, SHORTEST_SPEECH)
    return _without_short(speaks, False, SHORTEST_PAUSE)


def _loud(levels: FloatArray) -> npt.NDArray[np.bool_]:
    """Which blocks are as loud as speech, beside the loudest around them."""
    slope = FALL_DB * BLOCK_SECONDS * np.arange(len(levels))
    before = np.maximum.accumulate(levels + slope) - slope
    after = (np.maximum.accumulate((levels - slope)[::-1])[::-1]) + slope
    loudest = np.maximum(before, after)
    noise = float(np.percentile(levels, NOISE_PERCENTILE)) + ABOVE_NOISE_DB
    least = np.maximum(loudest - BELOW_DB, np.minimum(noise, loudest - NOISY_DB))
    return np.asarray((levels > least) & (loudest > QUIETEST_SPEECH_DB))


def _active(heard: AudioFeatures, column: int, blocks: int) -> npt.NDArray[np.bool_]:
    """Which blocks the extractor takes for speech."""
    values = np.pad(heard.values[:, column], ACTIVITY_ROWS // 2, mode="edge")
    smooth = np.convolve(values, np.full(ACTIVITY_ROWS, 1 / ACTIVITY_ROWS), "valid")
    rows = ((np.arange(blocks) + 0.5) * BLOCK_SECONDS - heard.offset) * heard.rate
    picked = np.clip(np.round(rows).astype(int), 0, len(smooth) - 1)
    return np.asarray(smooth[picked] > LEAST_ACTIVITY)


def _without_short(
    speaks: npt.NDArray[np.bool_], which: bool, shortest: float
) -> npt.NDArray[np.bool_]:
    """The same with stretches of ``which`` shorter than ``shortest`` seconds turned over.

    Stretches at the ends stay: nobody knows how long they are.
    """
    done = speaks.copy()
    edges = np.flatnonzero(np.diff(speaks)) + 1
    for start, stop in itertools.pairwise(edges):
        if speaks[start] == which and (stop - start) * BLOCK_SECONDS < shortest - 1e-6:
            done[start:stop] = not which
    return done


def _ramped(speaks: npt.NDArray[np.bool_], times: npt.NDArray[np.float64]) -> FloatArray:
    """(T,) 0 in pauses, 1 while someone speaks, with a ramp from one to the other."""
    if not speaks.any():
        return np.zeros(len(times), np.float32)
    edges = np.flatnonzero(np.diff(np.pad(speaks, 1).astype(np.int8)))
    starts, stops = edges[::2] * BLOCK_SECONDS, edges[1::2] * BLOCK_SECONDS
    # The shortest sound opens the mouth once; speech that was cut is no beginning and no end.
    starts = np.minimum(starts + OPENS_AFTER, stops)
    stops = np.maximum(stops - RAMP, starts)
    starts[0] = -np.inf if speaks[0] else starts[0]
    stops[-1] = np.inf if speaks[-1] else stops[-1]
    following = np.searchsorted(starts, times, side="right")
    until = np.append(starts, np.inf)[following] - times
    since = times - np.append(-np.inf, stops)[following]
    apart = np.maximum(np.minimum(since, until), 0)
    # A cosine starts and ends without a jerk.
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(apart / RAMP, 0, 1)), np.float32)
