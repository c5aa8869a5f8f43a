"""When each phoneme of a transcript was said: forced alignment by the network itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.phonetics import CLASS_NAMES, SILENCE, sound_of

# Rows that a sound lasts at least; a pause between words may be absent.
SHORTEST_ROWS = 2


def align(
    log_posteriors: npt.NDArray[np.float32], letters: tuple[str, ...]
) -> tuple[tuple[str, ...], npt.NDArray[np.int64], float] | None:
    """Viterbi alignment (Rabiner 1989, III.B) of a transcript.

    Args:
        log_posteriors: (A, K) natural logarithms, of :data:`CLASS_NAMES`.
        letters: IPA letters in order; "" where a pause may be.

    Returns:
        The letters that were said (with "" for pauses that are there), the (P,) rows at which they
        begin, and the mean log posterior along the path; None where the sound is too short.
    """
    spaced = ("", *letters, "")
    said = [a for a, b in zip(spaced, (*spaced[1:], "end"), strict=True) if a or b]
    states = [k for k, letter in enumerate(said) for _ in range(SHORTEST_ROWS if letter else 1)]
    classes = np.array(
        [CLASS_NAMES.index(sound_of(said[k]).name if said[k] else SILENCE) for k in states]  # type: ignore[union-attr]
    )
    optional = np.array([not said[k] for k in states])
    rows, count = len(log_posteriors), len(states)
    if rows < int((~optional).sum()):
        return None
    score = np.full(count, -np.inf)
    came = np.zeros((rows, count), np.int8)
    emitted = log_posteriors[:, classes]
    score[: 1 + int(optional[0])] = emitted[0, : 1 + int(optional[0])]
    # A pause may be skipped: then its neighbours follow each other.
    skips = np.concatenate([[False, False], optional[1:-1]])
    last_of = np.array([k == count - 1 or states[k + 1] != states[k] for k in range(count)])
    stays = last_of | optional
    for row in range(1, rows):
        stay = np.where(stays, score, -np.inf)
        step = np.concatenate([[-np.inf], score[:-1]])
        skip = np.where(skips, np.concatenate([[-np.inf, -np.inf], score[:-2]]), -np.inf)
        choices = np.stack([stay, step, skip])
        came[row] = choices.argmax(0)
        score = choices.max(0) + emitted[row]
    state = count - 1 if score[-1] >= score[-2] or not optional[-1] else count - 2
    if not np.isfinite(score[state]):
        return None
    mean = float(score[state] / rows)
    path = np.empty(rows, np.int64)
    for row in range(rows - 1, -1, -1):
        path[row] = states[state]
        state -= int(came[row, state])
    begins = np.flatnonzero(np.diff(path, prepend=-1))
    return tuple(said[path[row]] for row in begins), begins, mean
