"""Speech features from a file that the user made elsewhere: ``npy:FILE@RATE``.

Accepted shapes are those in use: (rows, values) at any rate, and one window per video frame,
(frames, width, values), of which the middle two rows are taken.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from nerf_talker.audio.extractor import FRAMES_PER_SECOND, Extractor, Follow
from nerf_talker.audio.sound import RATE
from nerf_talker.errors import InputError
from nerf_talker.types import FloatArray

# Encoders drop or add a few rows at the ends.
TOLERATED_SECONDS = 0.25


class Supplied(Extractor):
    """Features of one sound, read from a file and put on the 50 Hz clock.

    For a dataset that sound is its own ``audio.wav``: the clip's, cut to the scene and moved to
    the lips.

    Two files are taken for the same kind when width and rate agree; nothing more can be known.
    """

    is_supplied = True

    def __init__(self, path: Path, rate: float) -> None:
        """Read and check the file.

        Args:
            path: NPY of (rows, values), or (frames, width, values) at 25 windows per second.
            rate: Rows, or windows, per second.

        Raises:
            InputError: No such file, not an array of numbers, or another shape.
        """
        self._path = path
        values = _read(path)
        if values.ndim == 3:
            values, rate = _middle_rows(path, values, rate)
        self._values, self._source_rate = values, rate
        self.dims = values.shape[1]
        self.name = f"npy:{self.dims}@{rate:g}"
        self.look_ahead = 1 / rate
        self._digest = hashlib.sha256(values.tobytes()).hexdigest()[:12]

    @property
    def identity(self) -> str:
        """The name and the file's content."""
        return f"{self.name}#{self._digest}"

    def _rows(self, samples: FloatArray, rows: int, follow: Follow) -> FloatArray:
        held, wanted = len(self._values) / self._source_rate, len(samples) / RATE
        if abs(held - wanted) > TOLERATED_SECONDS:
            raise InputError(
                f"{self._path}: holds {len(self._values)} rows, {held:.2f} s at "
                f"{self._source_rate:g} rows per second, but the sound lasts {wanted:.2f} s; make "
                "it from this very sound or name its true rate after '@'"
            )
        place = np.arange(rows) / self.rate * self._source_rate
        left = np.clip(np.floor(place + 1e-9).astype(int), 0, len(self._values) - 1)
        right = np.minimum(left + 1, len(self._values) - 1)
        part = np.clip(place - left, 0, 1)[:, None]
        return np.asarray((1 - part) * self._values[left] + part * self._values[right])


def _read(path: Path) -> FloatArray:
    if not path.is_file():
        raise InputError(f"{path}: no such file; --audio-features npy:FILE@RATE wants an npy file")
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise InputError(f"{path}: not a readable npy file; write it with numpy.save") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError(f"{path}: holds no array of numbers; write it with numpy.save")
    if values.ndim not in (2, 3) or not values.size:
        raise InputError(
            f"{path}: has the shape {values.shape}; wanted (rows, values) or, one window per "
            "video frame, (frames, width, values)"
        )
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
    if len(bad):
        raise InputError(f"{path}: row {bad[0]} holds values that are not numbers; make it again")
    return values.astype(np.float32)


def _middle_rows(path: Path, windows: FloatArray, rate: float) -> tuple[FloatArray, float]:
    """The two rows of each window that belong to its frame, joined: (2 F, values) at 50 Hz.

    Windows of 16 rows begin 8 rows before their frame; windows of two are the frame's own rows.
    """
    width = windows.shape[1]
    if rate != FRAMES_PER_SECOND or width < 2 or width % 2:
        raise InputError(
            f"{path}: windows of {width} rows at {rate:g} per second; wanted an even width at "
            f"{FRAMES_PER_SECOND} windows per second, so end the name with @{FRAMES_PER_SECOND}"
        )
    first = 0 if width == 2 else width // 2
    return windows[:, first : first + 2].reshape(-1, windows.shape[2]), 2 * rate
