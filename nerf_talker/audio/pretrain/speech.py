"""Speech with phoneme times, in memory and on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nerf_talker.atomic import atomic_path
from nerf_talker.errors import DatasetError

RATE = 16000

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence.

    Attributes:
        samples: (N,) 16-bit, mono, 16 kHz.
        letters: IPA letters in order; "" is silence.
        starts: (P,) seconds at which each begins; the last ends with the samples. Empty where the
            times are not known (yet).
    """

    samples: Samples
    letters: tuple[str, ...]
    starts: npt.NDArray[np.float32]

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / RATE


@dataclass(frozen=True)
class Group:
    """Utterances of one voice in one language.

    Attributes:
        source: What spoke: espeak, flite, festival or prompts.
        language: Two-letter code.
        voice: Name within the source.
        utterances: What was said.
    """

    source: str
    language: str
    voice: str
    utterances: tuple[Utterance, ...]

    @property
    def name(self) -> str:
        """A file name."""
        return f"{self.source}-{self.language}-{self.voice}"


def write_group(folder: Path, group: Group) -> Path:
    """Write a group as one NPZ, atomically."""
    path = folder / f"{group.name}.npz"
    parts = group.utterances
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            head=np.array([group.source, group.language, group.voice]),
            samples=np.concatenate([part.samples for part in parts]),
            lengths=np.array([len(part.samples) for part in parts]),
            letters=np.array([letter for part in parts for letter in part.letters], "U1"),
            counts=np.array([len(part.letters) for part in parts]),
            starts=np.concatenate([part.starts for part in parts]).astype(np.float32),
            timed=np.array([len(part.starts) > 0 for part in parts]),
        )
    return path


def read_group(path: Path) -> Group:
    """Read what :func:`write_group` wrote.

    Raises:
        DatasetError: The file is damaged.
    """
    try:
        with np.load(path) as kept:
            data = {name: kept[name] for name in kept.files}
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: damaged ({error}); delete it and prepare again") from None
    source, language, voice = map(str, data["head"])
    cuts = np.cumsum(data["lengths"])[:-1]
    letters = np.split(data["letters"], np.cumsum(data["counts"])[:-1])
    timed = np.cumsum(np.where(data["timed"], data["counts"], 0))[:-1]
    starts = np.split(data["starts"], timed)
    return Group(
        source,
        language,
        voice,
        tuple(
            Utterance(part, tuple(map(str, said)), when)
            for part, said, when in zip(
                np.split(data["samples"], cuts), letters, starts, strict=True
            )
        ),
    )


SHORTEST_PAUSE = 0.05
"""Seconds: a synthesiser's shorter gap belongs to the sound before it."""


def join_letters(said: Sequence[tuple[float, str]]) -> tuple[tuple[str, ...], list[float]]:
    """Letters and start times without gaps inside words, neighbouring silences joined.

    Args:
        said: Start in seconds and letter of each sound, in order; the last is the final silence.
    """
    letters: list[str] = []
    starts: list[float] = []
    for index, (start, letter) in enumerate(said):
        last = index == len(said) - 1
        short = not last and said[index + 1][0] - start < SHORTEST_PAUSE
        if not letter and letters and (not letters[-1] or short):
            continue
        letters.append(letter)
        starts.append(start)
    return tuple(letters), starts
