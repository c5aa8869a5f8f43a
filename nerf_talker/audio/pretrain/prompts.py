"""Real recorded speech with transcripts: the Asterisk telephone prompts, CC BY-SA.

Debian packages ``asterisk-core-sounds-{en,es,fr,it,ru}`` (transcripts) and ``…-g722`` (16 kHz). The
phonemes of a transcript come from espeak-ng, their times from alignment.
"""

from __future__ import annotations

import gzip
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nerf_talker.audio.phonetics import letters_of
from nerf_talker.audio.pretrain.speech import RATE, Group, Utterance
from nerf_talker.audio.sound import read_sound
from nerf_talker.errors import InputError

SOUNDS = Path("/usr/share/asterisk/sounds")
TEXTS = Path("/usr/share/doc")
SHORTEST, LONGEST = 0.6, 14.0


@dataclass(frozen=True)
class PromptSet:
    """One language's prompts: folder of sounds, name of the voice, and its espeak-ng voice."""

    folder: str
    voice: str
    espeak: str


PROMPTS = {
    "en": PromptSet("en_US_f_Allison", "allison", "en-us"),
    "es": PromptSet("es_MX_f_Allison", "allison", "es-419"),
    "fr": PromptSet("fr_CA_f_June", "june", "fr"),
    "it": PromptSet("it_IT_m_Carlo", "carlo", "it"),
    "ru": PromptSet("ru_RU_f_IvrvoiceRU", "ivrvoice", "ru"),
}


def read_prompts(language: str) -> Group:
    """All prompts of a language that have a transcript and 0.6 to 14 s of sound; no times.

    Raises:
        InputError: The packages are not installed.
    """
    wanted = PROMPTS[language]
    package = f"asterisk-core-sounds-{language}"
    listed = TEXTS / package / f"core-sounds-{language}.txt.gz"
    if not listed.is_file() or not (SOUNDS / wanted.folder).is_dir():
        raise InputError(f"{listed}: missing; install {package} and {package}-g722")
    said: dict[Path, str] = {}
    for line in gzip.decompress(listed.read_bytes()).decode("utf-8", "ignore").splitlines():
        name, colon, text = line.partition(":")
        path = SOUNDS / wanted.folder / f"{name.strip()}.g722"
        # A note in brackets describes a sound that is no speech.
        speech = text.strip() and not set("[]<>(){}") & set(text)
        if colon and speech and path.is_file() and not line.startswith(";"):
            said[path] = text.strip()
    spoken = _phonemes(wanted.espeak, list(said.values()))
    utterances = []
    for path, letters in zip(said, spoken, strict=True):
        samples = np.round(read_sound(path) * 32767).astype(np.int16)
        if letters and SHORTEST <= len(samples) / RATE <= LONGEST:
            utterances.append(Utterance(samples, letters, np.empty(0, np.float32)))
    return Group("prompts", language, wanted.voice, tuple(utterances))


def _phonemes(voice: str, texts: list[str]) -> list[tuple[str, ...]]:
    """IPA letters of each text; "" where a word or a clause ends, where a pause may be."""
    lines = []
    for text in texts:
        command = ["espeak-ng", "-q", "--ipa", "-v", voice, text]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise InputError(f"espeak-ng has no voice {voice}; install espeak-ng")
        lines.append(done.stdout.decode("utf-8", "ignore"))
    return [tuple(x for word in line.split() for x in (*letters_of(word), "")) for line in lines]
