"""The sound of a split and its log energy per frame, for the audio lag."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.sound import RATE, read_sound_from
from nerf_talker.errors import DatasetError
from nerf_talker.evaluate.lips import Series
from nerf_talker.evaluate.video_file import VideoFile

SILENCE = 1e-8
"""Mean square added before the logarithm: -80 dB of full scale, below any recording's noise."""

SPARE_SECONDS = 0.5
"""By so much a sound may end before the pictures: codecs cut and pad."""

FULL_SCALE = 32767
"""The sample that stands for 1."""


@dataclass(frozen=True)
class Sound:
    """Mono sound.

    Attributes:
        samples: (S,) int16.
        rate: Samples per second.
    """

    samples: npt.NDArray[np.int16]
    rate: int

    def levels(self) -> Series:
        """(S,) float64 in [-1, 1], as :func:`nerf_talker.audio.sound.write_wav` takes it."""
        return self.samples / np.float64(FULL_SCALE)

    def slice(self, start: float, stop: float) -> Sound:
        """The part between two times in seconds, zero-padded where there is no sound."""
        first, last = round(start * self.rate), round(stop * self.rate)
        inside = self.samples[max(first, 0) : max(last, 0)]
        padded = np.zeros(max(last - first, 0), np.int16)
        padded[: len(inside)] = inside
        return Sound(padded, self.rate)


def read_sound(path: Path) -> Sound:
    """Read a mono 16-bit WAV file.

    Raises:
        DatasetError: The file is missing or of another kind.
    """
    try:
        with wave.open(str(path), "rb") as stream:
            if stream.getnchannels() != 1 or stream.getsampwidth() != 2:
                raise DatasetError(
                    f"{path}: expected 16-bit mono sound; run 'nerf-talker preprocess' again"
                )
            content = stream.readframes(stream.getnframes())
            return Sound(np.frombuffer(content, "<i2").astype(np.int16), stream.getframerate())
    except FileNotFoundError:
        raise DatasetError(f"{path}: missing; run 'nerf-talker preprocess' again") from None
    except (wave.Error, EOFError):
        raise DatasetError(f"{path}: damaged; run 'nerf-talker preprocess' again") from None


def video_sound(video: VideoFile, audio: Path | None) -> Sound | None:
    """The sound from a video's first frame on, or that of another file; None in a silent video.

    A sound track without a single packet, and one that ends before the picture begins, are none.

    Raises:
        InputError: A file cannot be read, or ``audio`` has no sound.
    """
    import av

    path, start = (video.path, video.start) if audio is None else (audio, None)
    if audio is None:
        with av.open(str(path)) as container:
            track = next(iter(container.streams.audio), None)
            if track is None or not any(packet.size for packet in container.demux(track)):
                return None
    samples = read_sound_from(path, start, RATE)
    if not len(samples):
        return None
    return Sound(np.round(samples * FULL_SCALE).astype(np.int16), RATE)


def sound_notes(sound: Sound | None, frames: int, fps: float) -> list[str]:
    """What readers must know of a sound that ends well before the pictures do."""
    length, shown = 0.0 if sound is None else len(sound.samples) / sound.rate, frames / fps
    if sound is None or shown - length <= SPARE_SECONDS:
        return []
    return [f"The sound ends after {length:.1f} of {shown:.1f} s; what follows counts as silence."]


def log_energy(sound: Sound, frames: range, fps: float) -> Series:
    """(len(frames),) log mean square of the samples heard while each frame is shown."""
    values = []
    for frame in frames:
        heard = sound.slice(frame / fps, (frame + 1) / fps).levels()
        values.append(np.log(np.mean(heard * heard) + SILENCE) if heard.size else np.nan)
    return np.array(values)
