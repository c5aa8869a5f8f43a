"""What the network should say at every row: the speech sound, and the articulatory curves.

Curves come from the sounds' targets by dominance: every sound pulls at its neighbourhood, as
strongly as it insists and the less the farther away (Cohen and Massaro 1993, Modeling
Coarticulation in Synthetic Visual Speech, eq. 1-3, with a Gaussian instead of an exponential).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.phonetics import CLASS_NAMES, CURVES, REST, sound_of

# Seconds over which a sound reaches beyond its own segment, for each curve: lips and jaw are
# slow, a closure or the voice begins and ends at once.
REACH = {
    "opening": 0.06,
    "rounding": 0.10,
    "bilabial": 0.02,
    "labiodental": 0.02,
    "jaw": 0.07,
    "tongue_height": 0.04,
    "tongue_front": 0.05,
    "voicing": 0.01,
}


def row_targets(
    letters: tuple[str, ...], starts: npt.ArrayLike, end: float, times: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Targets at given times.

    Args:
        letters: IPA letters in order, "" for silence.
        starts: (P,) seconds at which each begins.
        end: Seconds at which the last one ends; silence before the first and after that.
        times: (A,) seconds.

    Returns:
        (A,) index into :data:`CLASS_NAMES`, and (A, 8) curves in [0, 1].
    """
    when = np.asarray(times, np.float64)
    far = 1e3
    begin = np.concatenate([[-far], np.asarray(starts, np.float64), [end]])
    until = np.concatenate([begin[1:], [far]])
    sounds = [REST, *(sound_of(letter) or REST for letter in letters), REST]
    classes = np.array([CLASS_NAMES.index(sound.name) for sound in sounds])
    own = np.clip(np.searchsorted(begin, when, "right") - 1, 0, len(sounds) - 1)
    targets = np.array([sound.targets for sound in sounds])
    dominance = np.array([sound.dominance for sound in sounds])
    # (A, P): distance outside the segment, 0 inside.
    apart = np.maximum(np.maximum(begin - when[:, None], when[:, None] - until), 0)
    curves = np.empty((len(when), len(CURVES)))
    for index, name in enumerate(CURVES):
        pull = dominance[:, index] * np.exp(-((apart / REACH[name]) ** 2)) + 1e-9 * (apart == 0)
        curves[:, index] = pull @ targets[:, index] / pull.sum(1)
    # Closed lips leave no opening, however strongly the neighbours pull.
    closed = curves[:, CURVES.index("bilabial")]
    curves[:, CURVES.index("opening")] *= 1 - closed
    return classes[own], curves.astype(np.float32)
