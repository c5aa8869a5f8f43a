"""Reading sound from any file PyAV understands, and writing 16-bit WAV."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.atomic import atomic_path
from nerf_talker.audio.promised import promised_seconds
from nerf_talker.errors import InputError
from nerf_talker.types import FloatArray

RATE = 16000
# Seconds by which a file may hold less than it promises: an MP3 counts what its encoder added, at
# most 1728 samples, 0.22 s at 8 kHz.
_SHORT = 0.25


def read_sound(path: Path, rate: int = RATE) -> FloatArray:
    """The first sound track of a file, mono.

    Args:
        path: A sound or video file in any container PyAV reads.
        rate: Samples per second of the result.

    Returns:
        (samples,) float32 in [-1, 1]; the first sample is the first sound in the file.

    Raises:
        InputError: The file is missing, empty, no media file, damaged or cut, or has no sound.
    """
    return read_sound_from(path, None, rate)


def read_sound_from(path: Path, start: float | None, rate: int = RATE) -> FloatArray:
    """Like :func:`read_sound`, with the first sample at ``start`` seconds of the file's clock.

    Sound that begins later is preceded by silence, sound before ``start`` is cut off.
    """
    begins, pieces = zip(*_pieces(Path(path), rate), strict=True)
    samples = np.concatenate(pieces)
    shift = 0 if start is None else round((begins[0] - start) * rate)
    return np.pad(samples, (shift, 0)) if shift > 0 else samples[-shift:]


def stream_sound(path: Path, rate: int = RATE) -> Iterator[FloatArray]:
    """The pieces of :func:`read_sound` in order, as they are decoded, in constant memory."""
    for _, piece in _pieces(Path(path), rate):
        yield piece


def _pieces(path: Path, rate: int) -> Iterator[tuple[float, FloatArray]]:
    """Pieces of a file's first sound track, each with the file's time of the first, seconds."""
    import av

    _check_file(path)
    first, heard, end, promised = None, 0, 0.0, None
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: has no sound track; give a file with sound")
            promised = promised_seconds(path, container)
            resampler = _Resampler(rate)
            for frame in chain(container.decode(container.streams.audio[0]), [None]):
                if first is None and frame is not None:
                    first = float(frame.time or 0.0)
                if frame is not None:
                    end = max(end, float(frame.time or 0.0) + frame.samples / frame.sample_rate)
                for part in resampler.parts(frame):
                    piece = part.to_ndarray()[0]
                    heard += len(piece)
                    yield first or 0.0, np.clip(piece, -1, 1).astype(np.float32)
    except av.FFmpegError as error:
        if first is None:
            raise InputError(
                f"{path}: cannot be read as sound ({error.strerror}); give a wav, mp3, m4a or flac"
            ) from None
        raise InputError(
            f"{path}: the sound is damaged after {heard / rate:.2f} s ({error.strerror}); "
            "export it again"
        ) from None
    if not heard:
        raise InputError(f"{path}: holds no sound (0 samples); give a recording")
    held = max(end, heard / rate)
    if promised is not None and held < promised - _SHORT:
        raise InputError(
            f"{path}: is cut off, it promises {promised:.2f} s of sound and holds {held:.2f} s; "
            "copy it again, or save what is there as a new file"
        )


class _Resampler:
    """Frames as mono floats at one rate, even where a joined file changes its rate or channels."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._kind: Any = None
        self._made: Any = None

    def parts(self, frame: Any) -> list[Any]:
        """What a further frame gives; the rest for None."""
        import av

        kind = frame and (frame.format.name, frame.layout.name, frame.sample_rate)
        done: list[Any] = []
        if kind != self._kind:
            done = [] if self._made is None else self._made.resample(None)
            self._made = av.AudioResampler(format="flt", layout="mono", rate=self._rate)
            self._kind = kind
        return done if frame is None else done + self._made.resample(frame)


def write_wav(path: Path, samples: npt.ArrayLike, rate: int = RATE) -> None:
    """Write a mono 16-bit WAV atomically.

    Args:
        path: The file.
        samples: (samples,) float in [-1, 1]; values outside are clipped.
        rate: Samples per second.
    """
    path = Path(path)
    clipped = np.clip(np.nan_to_num(np.asarray(samples, np.float64)), -1, 1)
    content: npt.NDArray[Any] = np.round(clipped * 32767).astype("<i2")
    with atomic_path(path) as temporary, wave.open(str(temporary), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(content.tobytes())


def _check_file(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path}: no such file; give a sound or video file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a sound or video file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes); give a sound or video file")
