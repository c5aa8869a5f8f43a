import numpy as np

from nerf_talker.audio.phonetics import CLASS_NAMES
from nerf_talker.audio.pretrain.alignment import align


def posteriors(names, certainty=0.9):
    rows = np.full((len(names), len(CLASS_NAMES)), (1 - certainty) / (len(CLASS_NAMES) - 1))
    for row, name in enumerate(names):
        rows[row, CLASS_NAMES.index(name)] = certainty
    return np.log(rows).astype(np.float32)


HEARD = ["sil"] * 5 + ["m"] * 4 + ["a"] * 7 + ["sil"] * 3 + ["t"] * 2 + ["u"] * 6 + ["sil"] * 4


def test_recovers_the_planted_times():
    letters, rows, score = align(posteriors(HEARD), ("m", "a", "", "t", "u", ""))
    assert letters == ("", "m", "a", "", "t", "u", "")
    assert rows.tolist() == [0, 5, 9, 16, 19, 21, 27]
    assert np.isclose(score, np.log(0.9), atol=1e-5)


def test_a_pause_that_was_not_made_is_skipped():
    heard = [name for name in HEARD if name != "sil"]
    letters, rows, _ = align(posteriors(heard), ("m", "a", "", "t", "u", ""))
    assert letters == ("m", "a", "t", "u")
    assert rows.tolist() == [0, 4, 11, 13]


def test_a_wrong_transcript_fits_worse():
    right = align(posteriors(HEARD), ("m", "a", "", "t", "u"))[2]
    wrong = align(posteriors(HEARD), ("s", "i", "k", "e"))[2]
    assert wrong < right - 1


def test_too_little_sound_for_the_transcript_is_no_alignment():
    assert align(posteriors(["m", "a"]), tuple("matumatu")) is None
