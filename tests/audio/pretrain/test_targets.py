import numpy as np

from nerf_talker.audio.phonetics import CLASS_NAMES, CURVES
from nerf_talker.audio.pretrain.targets import row_targets

TIMES = np.arange(0, 1.0, 0.02)


def curve(curves, name):
    return curves[:, CURVES.index(name)]


def test_classes_follow_the_segments():
    classes, _ = row_targets(("", "m", "a"), [0.0, 0.2, 0.4], 0.8, TIMES)
    names = [CLASS_NAMES[k] for k in classes]
    assert names[:10] == ["sil"] * 10 and names[11:19] == ["m"] * 8
    assert names[21:39] == ["a"] * 18 and names[-8:] == ["sil"] * 8


def test_closed_lips_have_no_opening_and_open_vowels_a_wide_one():
    _, curves = row_targets(("a", "m", "a"), [0.0, 0.4, 0.55], 1.0, TIMES)
    middle = int(0.48 / 0.02)
    assert curve(curves, "bilabial")[middle] > 0.95
    assert curve(curves, "opening")[middle] < 0.05
    assert curve(curves, "opening")[10] > 0.9


def test_lips_round_before_a_rounded_vowel_begins():
    _, curves = row_targets(("s", "u"), [0.2, 0.5], 0.9, TIMES)
    rounding = curve(curves, "rounding")
    early, late = int(0.3 / 0.02), int(0.48 / 0.02)
    assert rounding[early] < 0.15 < 0.5 < rounding[late]


def test_a_delay_of_the_speech_delays_the_targets():
    letters, starts = ("", "p", "i", "u", ""), np.array([0.0, 0.1, 0.2, 0.45, 0.6])
    first = row_targets(letters, starts, 0.9, TIMES)
    second = row_targets(letters, starts + 0.08, 0.98, TIMES + 0.08)
    assert (first[0] == second[0]).all()
    assert np.allclose(first[1], second[1], atol=1e-6)


def test_curves_stay_in_range_without_any_sound():
    classes, curves = row_targets((), np.empty(0), 0.0, TIMES)
    assert (classes == 0).all()
    assert (curves >= 0).all() and (curves <= 1).all()
