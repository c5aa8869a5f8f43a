"""Sentences of random words in many languages, from Debian's word lists.

Meaningless, but each language's own words: its sounds in its own neighbourhoods.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from nerf_talker.errors import InputError

DICTIONARIES = Path("/usr/share/dict")
SPELLING = Path("/usr/share/hunspell")


@dataclass(frozen=True)
class WordList:
    """Where a language's words lie, and in which encoding; ``package`` brings the file."""

    path: Path
    package: str
    encoding: str = "utf-8"


WORD_LISTS = {
    "bg": WordList(DICTIONARIES / "bulgarian", "wbulgarian"),
    "ca": WordList(DICTIONARIES / "catalan", "wcatalan"),
    "cs": WordList(SPELLING / "cs_CZ.dic", "hunspell-cs"),
    "de": WordList(DICTIONARIES / "ngerman", "wngerman"),
    "el": WordList(SPELLING / "el_GR.dic", "hunspell-el", "iso-8859-7"),
    "en": WordList(DICTIONARIES / "american-english", "wamerican"),
    "eo": WordList(DICTIONARIES / "esperanto", "wesperanto"),
    "es": WordList(DICTIONARIES / "spanish", "wspanish"),
    "fr": WordList(DICTIONARIES / "french", "wfrench"),
    "hr": WordList(SPELLING / "hr_HR.dic", "hunspell-hr"),
    "hu": WordList(SPELLING / "hu_HU.dic", "hunspell-hu"),
    "id": WordList(SPELLING / "id_ID.dic", "hunspell-id"),
    "it": WordList(DICTIONARIES / "italian", "witalian"),
    "lt": WordList(SPELLING / "lt_LT.dic", "hunspell-lt", "iso-8859-13"),
    "lv": WordList(SPELLING / "lv_LV.dic", "hunspell-lv"),
    "nb": WordList(DICTIONARIES / "bokmaal", "wnorwegian"),
    "nl": WordList(DICTIONARIES / "dutch", "wdutch"),
    "pl": WordList(DICTIONARIES / "polish", "wpolish"),
    "pt": WordList(DICTIONARIES / "portuguese", "wportuguese"),
    "ro": WordList(SPELLING / "ro_RO.dic", "hunspell-ro"),
    "sk": WordList(SPELLING / "sk_SK.dic", "hunspell-sk"),
    "sl": WordList(SPELLING / "sl_SI.dic", "hunspell-sl", "iso-8859-2"),
    "sv": WordList(DICTIONARIES / "swedish", "wswedish"),
    "tr": WordList(SPELLING / "tr_TR.dic", "hunspell-tr"),
    "uk": WordList(DICTIONARIES / "ukrainian", "wukrainian"),
    "vi": WordList(SPELLING / "vi_VN.dic", "hunspell-vi"),
}

_LONGEST = 12
_PICKED = 20000


def read_words(language: str) -> list[str]:
    """Words of a language, at most 20,000 evenly spread over its list.

    Raises:
        InputError: The list is not installed.
    """
    listed = WORD_LISTS[language]
    if not listed.path.is_file():
        raise InputError(f"{listed.path}: no word list; install the package {listed.package}")
    text = listed.path.read_text(encoding=listed.encoding, errors="ignore")
    # A spelling dictionary adds flags after a slash or a tab.
    words = [line.split("/")[0].split()[0] for line in text.splitlines() if line.strip("/ \t")]
    spoken = [word for word in words if word.isalpha() and 1 < len(word) <= _LONGEST]
    plain = [word.lower() for word in spoken if not word.isupper()]
    return plain[:: max(len(plain) // _PICKED, 1)]


def sentences(language: str, count: int, seed: int) -> list[str]:
    """Sentences of 4 to 10 random words, some with a pause inside; the same for the same seed."""
    chance = random.Random(f"{language} {seed}")
    words = read_words(language)
    made = []
    for _ in range(count):
        chosen = [chance.choice(words) for _ in range(chance.randint(4, 10))]
        if chance.random() < 0.4:
            chosen[len(chosen) // 2] += ","
        made.append(" ".join(chosen).capitalize() + chance.choice(".?!."))
    return made
