"""Speech sounds that faces of any language share, and what the lips and tongue do for each.

A sound written in the International Phonetic Alphabet is put into one of :data:`CLASSES` and given
articulatory targets. Height, frontness and rounding of vowels are their places in the chart of the
International Phonetic Association (2020 revision); what consonants demand of the lips follows
Ladefoged and Johnson, A Course in Phonetics, ch. 1 and 7. How strongly a sound insists on a target
is its dominance (Cohen and Massaro 1993): /p/ closes the lips whatever stands around it, /k/ takes
the lips of its neighbours.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

SILENCE = "sil"

CLASSES = {
    SILENCE: "",
    "p": "pb",
    "m": "m",
    "f": "fvɱʋ",
    "th": "θð",
    "t": "tdʈɖ",
    "s": "szɬ",
    "sh": "ʃʒʂʐɕʑ",
    "n": "nɳ",
    "l": "lɫɭʎʟ",
    "r": "rɾɽɹɻɚɝ",
    "x": "xɣχʁʀħʕ",
    "j": "jçʝɥ",
    "k": "kɡgqɢcɟ",
    "ng": "ŋɲɴ",
    "h": "hɦʔ",
    "w": "wʍβɸ",
    "i": "i",
    "ih": "ɪ",
    "y": "yʏ",
    "e": "e",
    "eh": "ɛæ",
    "oe": "øœɵ",
    "a": "aɑɶɒ",
    "schwa": "əɐɜɘɞʌ",
    "o": "o",
    "aw": "ɔɤ",
    "u": "uʊ",
    "ui": "ɨɯʉ",
}
"""Class -> the IPA letters in it. Silence has none."""

CLASS_NAMES = tuple(CLASSES)

CURVES = (
    "opening",
    "rounding",
    "bilabial",
    "labiodental",
    "jaw",
    "tongue_height",
    "tongue_front",
    "voicing",
)
"""Articulatory curves, each in [0, 1]; silence is a closed, unrounded, resting mouth."""


@dataclass(frozen=True)
class Sound:
    """One speech sound.

    Attributes:
        name: Its class, one of :data:`CLASS_NAMES`.
        targets: What each of :data:`CURVES` aims at, in [0, 1].
        dominance: How strongly it insists on each target, in [0, 1].
    """

    name: str
    targets: tuple[float, ...]
    dominance: tuple[float, ...]


_CLASS_OF = {letter: name for name, letters in CLASSES.items() for letter in letters}

# Vowels: (openness, frontness, rounding), from the chart: close 0, near-close .2, close-mid .35,
# mid .5, open-mid .65, near-open .85, open 1; back 0, central .5, front 1.
VOWELS = {
    "i": (0.0, 1.0, 0.0),
    "y": (0.0, 1.0, 1.0),
    "ɨ": (0.0, 0.5, 0.0),
    "ʉ": (0.0, 0.5, 1.0),
    "ɯ": (0.0, 0.0, 0.0),
    "u": (0.0, 0.0, 1.0),
    "ɪ": (0.2, 0.9, 0.0),
    "ʏ": (0.2, 0.9, 0.9),
    "ʊ": (0.2, 0.1, 0.9),
    "e": (0.35, 1.0, 0.0),
    "ø": (0.35, 1.0, 0.9),
    "ɘ": (0.35, 0.5, 0.0),
    "ɵ": (0.35, 0.5, 0.9),
    "ɤ": (0.35, 0.0, 0.0),
    "o": (0.35, 0.0, 0.9),
    "ə": (0.5, 0.5, 0.0),
    "ɚ": (0.5, 0.5, 0.2),
    "ɝ": (0.5, 0.5, 0.2),
    "ɛ": (0.65, 1.0, 0.0),
    "œ": (0.65, 1.0, 0.7),
    "ɜ": (0.65, 0.5, 0.0),
    "ɞ": (0.65, 0.5, 0.7),
    "ʌ": (0.65, 0.1, 0.0),
    "ɔ": (0.65, 0.0, 0.7),
    "ɐ": (0.85, 0.5, 0.0),
    "æ": (0.85, 1.0, 0.0),
    "a": (1.0, 0.7, 0.0),
    "ɶ": (1.0, 1.0, 0.5),
    "ɑ": (1.0, 0.0, 0.0),
    "ɒ": (1.0, 0.0, 0.5),
}

# Consonants by class: (opening, its dominance), (rounding, its dominance), (jaw, its dominance),
# (tongue height, frontness). The tongue always insists: that is where the sound is made.
CONSONANTS = {
    "p": ((0.0, 1.0), (0.1, 0.1), (0.1, 0.4), (0.4, 0.5)),
    "m": ((0.0, 1.0), (0.1, 0.1), (0.1, 0.4), (0.4, 0.5)),
    "f": ((0.1, 0.9), (0.0, 0.3), (0.1, 0.6), (0.4, 0.5)),
    "th": ((0.3, 0.5), (0.0, 0.2), (0.2, 0.5), (0.7, 1.0)),
    "t": ((0.3, 0.2), (0.0, 0.1), (0.15, 0.4), (0.9, 0.9)),
    "s": ((0.25, 0.5), (0.0, 0.2), (0.0, 0.9), (0.9, 0.9)),
    "sh": ((0.3, 0.5), (0.7, 0.6), (0.0, 0.9), (0.9, 0.7)),
    "n": ((0.3, 0.2), (0.0, 0.1), (0.15, 0.4), (0.9, 0.9)),
    "l": ((0.35, 0.2), (0.0, 0.1), (0.25, 0.4), (0.8, 0.9)),
    "r": ((0.3, 0.2), (0.3, 0.3), (0.2, 0.4), (0.7, 0.7)),
    "x": ((0.35, 0.1), (0.0, 0.05), (0.3, 0.2), (0.7, 0.1)),
    "j": ((0.2, 0.3), (0.0, 0.3), (0.1, 0.4), (0.9, 0.9)),
    "k": ((0.35, 0.1), (0.0, 0.05), (0.25, 0.2), (0.9, 0.2)),
    "ng": ((0.3, 0.1), (0.0, 0.05), (0.2, 0.2), (0.9, 0.4)),
    "h": ((0.4, 0.02), (0.0, 0.02), (0.3, 0.02), (0.4, 0.5)),
    "w": ((0.1, 0.8), (1.0, 0.9), (0.15, 0.4), (0.8, 0.0)),
}

_VOICELESS = set("pftθsʃʂɕʈkqcxχħçhʔɸʍɬ")


def sound_of(letter: str) -> Sound | None:
    """The sound of one IPA letter; None where the letter is not one."""
    name = _CLASS_OF.get(letter)
    if name is None:
        return None
    voicing = 0.0 if letter in _VOICELESS else 1.0
    if letter in VOWELS:
        openness, front, rounding = VOWELS[letter]
        # Rounded lips leave a smaller hole at the same height of the tongue.
        opening = (0.25 + 0.75 * openness) * (1 - 0.45 * rounding)
        targets = (opening, rounding, 0.0, 0.0, 0.15 + 0.85 * openness, 1 - openness, front, 1.0)
        dominance = (0.6, 0.6, 1.0, 1.0, 0.6, 0.8, 0.8, 1.0)
        return Sound(name, targets, dominance)
    (opening, opens), (rounding, rounds), (jaw, jaws), (height, front) = CONSONANTS[name]
    bilabial = 1.0 if name in ("p", "m") else 0.5 if letter in "βɸ" else 0.0
    labiodental = 1.0 if name == "f" else 0.0
    targets = (opening, rounding, bilabial, labiodental, jaw, height, front, voicing)
    return Sound(name, targets, (opens, rounds, 1.0, 1.0, jaws, 0.9, 0.9, 1.0))


REST = Sound(
    SILENCE, (0.0, 0.1, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0), (0.5, 0.3, 1.0, 1.0, 0.4, 0.2, 0.2, 1.0)
)
"""Silence: lips together without pressing."""


def letters_of(text: str) -> list[str]:
    """The IPA letters of a transcription, without stress, length, tone and other marks.

    Affricates give a stop and a fricative, diphthongs two vowels.
    """
    letters = []
    for sign in unicodedata.normalize("NFC", text):
        # A cedilla makes another letter, a tilde or a tone only a mark.
        parts = sign if sign in _CLASS_OF else unicodedata.normalize("NFD", sign)
        letters += [letter for letter in parts if letter in _CLASS_OF]
    return letters
