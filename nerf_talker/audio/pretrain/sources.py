"""Preparing the corpus: every source once, kept in a folder, never part of the package.

| source | what | licence |
| --- | --- | --- |
| espeak-ng 1.51 | formant and Klatt voices, exact phoneme times | GPL-3, a process of its own |
| flite 2.2 | kal16, awb, rms, slt; segment times | BSD-like |
| festival 2.5 | five languages' voices; segment times | BSD-like, see packages |
| asterisk-core-sounds | recorded prompts, five languages, transcripts | CC BY-SA, CC BY 3.0 |
| Debian word lists | words of 26 languages for random sentences | see packages |
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tqdm import tqdm

from nerf_talker.audio.pretrain.config import CorpusConfig
from nerf_talker.audio.pretrain.espeak import Espeak, Manner
from nerf_talker.audio.pretrain.prompts import PROMPTS, read_prompts
from nerf_talker.audio.pretrain.speech import Group, Utterance, write_group
from nerf_talker.audio.pretrain.voices import (
    FESTIVAL,
    FLITE,
    FestivalVoice,
    festival_speaks,
    flite_speaks,
)
from nerf_talker.audio.pretrain.words import WORD_LISTS, sentences

# Finnish has no word list here; its spelling is phonetic, and so is that of these.
_BORROWED = {"fi": ("eo", "it", "hu")}


def prepare(folder: Path, config: CorpusConfig, quiet: bool = False) -> list[Path]:
    """Make the groups that are not in the folder yet.

    Args:
        folder: Where they are kept; delete it to make them anew.
        config: How much of which speech.
        quiet: No progress bar.

    Returns:
        The files of all groups, for :func:`nerf_talker.audio.pretrain.speech.read_group`.

    Raises:
        InputError: A synthesiser, a voice or a word list is not installed; the package is named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = list(_jobs(config))
    paths = [folder / f"{name}.npz" for name, _, _ in jobs]
    missing = [job for job, path in zip(jobs, paths, strict=True) if not path.is_file()]
    # One job per process: espeak-ng keeps its state in globals.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for name, make, given in tqdm(missing, desc="corpus", disable=quiet, unit="voice"):
            made = pool.submit(make, *given).result()
            assert made.name == name, made.name
            write_group(folder, made)
    return paths


Job = tuple[str, Callable[..., Group], tuple[object, ...]]


def _jobs(config: CorpusConfig) -> Iterator[Job]:
    """Name, maker and its arguments of every group."""
    for language in WORD_LISTS:
        given = (language, config.espeak_sentences, config.seed)
        yield f"espeak-{language}-variants", espeak_group, given
    for index, voice in enumerate(FLITE):
        given = (voice, config.flite_sentences, config.seed + 100 + index)
        yield f"flite-en-{voice}", flite_group, given
    for index, one in enumerate(FESTIVAL):
        spoken = (one, config.festival_sentences, config.seed + 200 + index)
        yield f"festival-{one.language}-{one.command}", festival_group, spoken
    for language, prompts in PROMPTS.items():
        yield f"prompts-{language}-{prompts.voice}", read_prompts, (language,)


def espeak_group(language: str, count: int, seed: int) -> Group:
    """Random sentences of a language, each in another manner."""
    chance = random.Random(f"espeak {language} {seed}")
    voice = Espeak()
    said = sentences(language, count, seed)
    spoken = [voice.speak(language, text, Manner.drawn(chance)) for text in said]
    return Group("espeak", language, "variants", _usable(spoken))


def flite_group(voice: str, count: int, seed: int) -> Group:
    """Random English sentences by a flite voice."""
    spoken = [flite_speaks(voice, text) for text in sentences("en", count, seed)]
    return Group("flite", "en", voice, _usable(spoken))


def festival_group(voice: FestivalVoice, count: int, seed: int) -> Group:
    """Random sentences by a festival voice."""
    languages = _BORROWED.get(voice.language, (voice.language,))
    texts = [text for one in languages for text in sentences(one, count // len(languages), seed)]
    return Group("festival", voice.language, voice.command, _usable(festival_speaks(voice, texts)))


def _usable(spoken: list[Utterance]) -> tuple[Utterance, ...]:
    """Without what a synthesiser could not say."""
    return tuple(part for part in spoken if part.seconds > 0.5 and len(part.letters) > 3)
