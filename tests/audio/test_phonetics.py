import numpy as np
import pytest

from nerf_talker.audio.phonetics import (
    CLASS_NAMES,
    CLASSES,
    CONSONANTS,
    CURVES,
    REST,
    SILENCE,
    VOWELS,
    letters_of,
    sound_of,
)


def target(letter, curve):
    return sound_of(letter).targets[CURVES.index(curve)]


def test_every_letter_has_exactly_one_class_and_a_target_in_range():
    letters = [letter for listed in CLASSES.values() for letter in listed]
    assert len(letters) == len(set(letters))
    for letter in letters:
        sound = sound_of(letter)
        assert sound.name in CLASS_NAMES and sound.name != SILENCE
        values = np.array([sound.targets, sound.dominance])
        assert values.shape == (2, len(CURVES)) and (values >= 0).all() and (values <= 1).all()


def test_vowels_and_consonants_together_are_all_classes():
    # A vowel with the colour of an r counts as one.
    vowels = {sound_of(letter).name for letter in VOWELS if letter not in "ɚɝ"}
    assert vowels.isdisjoint(CONSONANTS)
    assert vowels | set(CONSONANTS) == set(CLASS_NAMES) - {SILENCE}


@pytest.mark.parametrize("letter", "pbm")
def test_bilabials_close_the_lips_and_insist_on_it(letter):
    sound = sound_of(letter)
    assert target(letter, "bilabial") == 1 and target(letter, "opening") == 0
    assert sound.dominance[CURVES.index("opening")] == 1


@pytest.mark.parametrize("letter", "fv")
def test_labiodentals_touch_the_teeth_and_not_the_other_lip(letter):
    assert target(letter, "labiodental") == 1 and target(letter, "bilabial") == 0


@pytest.mark.parametrize(
    ("round_one", "spread_one"), [("u", "i"), ("o", "e"), ("y", "i"), ("w", "l")]
)
def test_rounded_sounds_round_and_spread_ones_do_not(round_one, spread_one):
    assert target(round_one, "rounding") > 0.8
    assert target(spread_one, "rounding") < 0.1


def test_open_vowels_open_the_mouth_in_the_order_of_the_chart():
    for channel in ("opening", "jaw"):
        values = [target(letter, channel) for letter in "ieɛa"]
        assert values == sorted(values) and values[-1] - values[0] > 0.5


def test_the_throat_leaves_the_lips_alone():
    lips = CURVES.index("opening")
    assert sound_of("k").dominance[lips] < 0.2 < sound_of("a").dominance[lips]
    assert sound_of("h").dominance[lips] < 0.05


def test_voice():
    for voiceless, voiced in zip("pftsʃkx", "bvdzʒɡɣ", strict=True):
        assert target(voiceless, "voicing") == 0 and target(voiced, "voicing") == 1
    assert REST.targets[CURVES.index("voicing")] == 0


def test_marks_of_transcriptions_are_dropped_and_compounds_fall_apart():
    assert letters_of("tʃˈaːnˌɡ˥") == ["t", "ʃ", "a", "n", "ɡ"]
    assert letters_of("mʲ ɔ̃ õ ç") == ["m", "ɔ", "o", "ç"]
    assert letters_of("aɪ") == ["a", "ɪ"]
    assert letters_of("") == [] and letters_of("1 _:(en)") == ["e", "n"]
    assert sound_of("!") is None and sound_of("c").name == "k"
