"""espeak-ng: speech in a hundred languages with the exact start of every phoneme.

The library is called in a process of its own, see :mod:`nerf_talker.audio.pretrain.sources`; it is
neither shipped nor needed by anything else.
"""

from __future__ import annotations

import ctypes
import random
from dataclasses import dataclass

import numpy as np

from nerf_talker.audio.phonetics import letters_of
from nerf_talker.audio.pretrain.resample import to_rate
from nerf_talker.audio.pretrain.speech import Utterance, join_letters
from nerf_talker.errors import InputError

# What the C header speak_lib.h names these.
_SYNCHRONOUS, _PHONEME_EVENTS, _IPA = 2, 1, 2
_EVENT_PHONEME = 7
_UTF8, _CHARACTERS = 1, 1
_SPEED, _PITCH, _RANGE = 1, 3, 4

VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5"),
    *("klatt", "klatt2", "klatt3", "klatt4", "croak"),
)


class _Text(ctypes.Union):
    _fields_ = [
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Text),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Manner:
    """How to speak: words a minute, pitch 0 to 100, its range 0 to 100, and a voice variant."""

    speed: int
    pitch: int
    range: int
    variant: str

    @classmethod
    def drawn(cls, chance: random.Random) -> Manner:
        """A random manner, within what people do."""
        return cls(
            chance.randint(120, 230),
            chance.randint(20, 80),
            chance.randint(20, 80),
            chance.choice(VARIANTS),
        )


class Espeak:
    """The synthesiser; one per process."""

    def __init__(self) -> None:
        """Start the library.

        Raises:
            InputError: It is not installed.
        """
        try:
            self._library = ctypes.CDLL("libespeak-ng.so.1")
        except OSError:
            raise InputError("espeak-ng is not installed; install the package espeak-ng") from None
        self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _IPA)
        self._sound: list[np.ndarray] = []
        self._said: list[tuple[float, str]] = []
        # Kept: the library calls it for as long as it lives.
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, language: str, text: str, manner: Manner) -> Utterance:
        """Say a sentence.

        Raises:
            InputError: There is no such voice.
        """
        voice = f"{language}+{manner.variant}"
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise InputError(f"espeak-ng has no voice {voice}; install espeak-ng-data")
        for parameter, value in (
            (_SPEED, manner.speed),
            (_PITCH, manner.pitch),
            (_RANGE, manner.range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._sound, self._said = [], []
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(encoded, len(encoded), 0, _CHARACTERS, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        letters, starts = join_letters([(0.0, ""), *self._spread()])
        samples = to_rate(np.concatenate([*self._sound, np.zeros(1, np.int16)]), self.rate)
        return Utterance(samples, letters, np.array(starts, np.float32))

    def _spread(self) -> list[tuple[float, str]]:
        """Start and letter of each sound; the letters of one event share its time."""
        total = sum(map(len, self._sound)) / self.rate
        ends = [start for start, _ in self._said[1:]] + [total]
        spread = []
        for (start, text), end in zip(self._said, ends, strict=True):
            letters = letters_of(text)
            # A mark alone (palatal, long) belongs to the sound before it; a pause has no letters.
            if not letters and text.strip(" _:ː") and not text.isascii():
                continue
            for index, letter in enumerate(letters or [""]):
                spread.append((start + (end - start) * index / max(len(letters), 1), letter))
        return spread

    def _receive(self, samples: ctypes._Pointer, count: int, events: ctypes._Pointer) -> int:
        if samples and count:
            self._sound.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type:
            event = events[index]
            if event.type == _EVENT_PHONEME:
                text = event.id.string.decode("utf-8", "ignore")
                self._said.append((event.sample / self.rate, text))
            index += 1
        return 0
