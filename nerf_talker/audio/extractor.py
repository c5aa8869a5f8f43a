"""The one interface of speech features: whatever turns sound into rows on a 50 Hz clock.

Row k describes the sound around k / 50 s, so every video frame at 25 fps has exactly two rows, and
a delay of the sound by one frame is a delay of the features by two rows. Extractors keep this law
by looking through windows of fixed length that are placed on the frames: nothing further away than
``look_ahead`` is seen, and nothing is normalised over the whole sound.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.sound import RATE
from nerf_talker.errors import InputError
from nerf_talker.types import AudioFeatures, FloatArray

ROWS_PER_SECOND = 50.0
FRAMES_PER_SECOND = 25

Follow = Callable[[range], Iterable[int]]
"""Walks through the steps of a long extraction and may show how far it is."""


class Extractor(ABC):
    """Speech features of one kind.

    Attributes:
        name: What the dataset and the avatar remember: equal names mean equal features.
        rate: Rows per second.
        dims: Values per row.
        look_ahead: Seconds of sound after a row's time that the row depends on at most.
        is_supplied: Whether the features were made elsewhere, of one sound, and cannot follow when
            that sound is moved.
        voice_activity: Which column tells how likely someone speaks, if one does.
        identity: ``name``, and the content of files where the features come from a file of one
            sound; a dataset made with another identity is made again.
    """

    name: str
    dims: int
    look_ahead: float
    rate: float = ROWS_PER_SECOND
    is_supplied: bool = False
    voice_activity: int | None = None

    @property
    def identity(self) -> str:
        """See the class's text."""
        return self.name

    def features(
        self, sound: npt.ArrayLike, rate: int = RATE, follow: Follow = iter
    ) -> AudioFeatures:
        """Features of a sound.

        Args:
            sound: (samples,) float in [-1, 1], mono; what lies outside is clipped.
            rate: Samples per second.
            follow: Shows progress where it takes long.

        Returns:
            (A, dims) with ``A = ceil(seconds * rate)``, at least one row, always finite.

        Raises:
            InputError: The sound has several channels, or samples that are not numbers.
        """
        samples = _at_rate(checked_sound(sound, rate), rate)
        rows = max(-(-len(samples) * round(self.rate) // RATE), 1)
        values = self._rows(samples, rows, follow)
        return AudioFeatures(values.astype(np.float32), self.rate, self.name, 0.0)

    @abstractmethod
    def _rows(self, samples: FloatArray, rows: int, follow: Follow) -> FloatArray:
        """(rows, dims) features of checked samples at :data:`RATE`."""


def checked_sound(sound: npt.ArrayLike, rate: int = RATE, begins: float = 0.0) -> FloatArray:
    """(samples,) float32 in [-1, 1]; what lies outside is clipped.

    Args:
        sound: One channel.
        rate: Samples per second.
        begins: Seconds at which this piece of the sound begins.

    Raises:
        InputError: The sound has several channels, or samples that are not numbers.
    """
    samples = np.asarray(sound, np.float32)
    if samples.ndim != 1:
        raise InputError(
            f"the sound has the shape {samples.shape}; give one channel, (samples,) in [-1, 1]"
        )
    bad = np.flatnonzero(~np.isfinite(samples))
    if len(bad):
        raise InputError(
            f"{len(bad)} samples of the sound are not numbers, the first at "
            f"{begins + bad[0] / rate:.2f} s; "
            "export the recording again"
        )
    return np.clip(samples, -1, 1)


def _at_rate(samples: FloatArray, rate: int) -> FloatArray:
    """The sound at :data:`RATE`; a polyphase filter, which delays nothing."""
    if rate == RATE or not len(samples):
        return samples
    from math import gcd

    from scipy.signal import resample_poly

    shared = gcd(rate, RATE)
    return np.asarray(resample_poly(samples, RATE // shared, rate // shared), np.float32)


def frame_windows(samples: FloatArray, before: int, length: int, frames: range) -> FloatArray:
    """(T, length) samples under the windows of T video frames, silence outside the sound.

    Args:
        samples: (samples,) at :data:`RATE`.
        before: Samples of a window in front of its frame's time.
        length: Samples of a window.
        frames: The frames, at :data:`FRAMES_PER_SECOND`.
    """
    hop = RATE // FRAMES_PER_SECOND
    windows = np.zeros((len(frames), length), np.float32)
    for row, frame in enumerate(frames):
        start = frame * hop - before
        part = samples[max(start, 0) : max(start + length, 0)]
        first = max(-start, 0)
        windows[row, first : first + len(part)] = part
    return windows
