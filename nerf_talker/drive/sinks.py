"""Where finished pictures go besides a video file: a folder of PNG files, or standard output."""

from __future__ import annotations

import os
import shutil
import wave
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, Protocol, TypeVar

import numpy as np

from nerf_talker.atomic import atomic_path
from nerf_talker.audio.sound import stream_sound
from nerf_talker.drive.parts import RESUME, begin_parts, new_folder
from nerf_talker.drive.pixels import STANDARD, video_frame
from nerf_talker.drive.provenance import Provenance, png_with_text
from nerf_talker.errors import InputError
from nerf_talker.types import ByteArray

T = TypeVar("T")
SOUND, PROVENANCE = "sound.wav", "provenance.json"
SOUND_RATE = 48_000


class FrameSink(Protocol):
    """Takes the pictures of a video in order; a context manager."""

    frames: int
    """How many it has; more than 0 at the start where an earlier call is gone on with."""

    def write(self, picture: ByteArray) -> None:
        """Take the next (H, W, 3 or 4) picture."""

    def __enter__(self) -> FrameSink: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class PngFolder:
    """A folder of numbered PNG files with the sound and what they are beside them.

    It is filled under a hidden name and put in place when complete.
    """

    def __init__(
        self,
        path: Path,
        sound: Path,
        fps: float,
        provenance: Provenance | None,
        made_of: str = "",
        resume: bool = False,
    ) -> None:
        """Nothing is written before the ``with`` block.

        Args:
            path: The folder.
            sound: Any container with an audio stream; kept as ``sound.wav``.
            fps: Pictures per second.
            provenance: What the pictures and ``provenance.json`` say; None for nothing.
            made_of: As of :class:`nerf_talker.drive.video.SpeechVideo`.
            resume: Likewise.

        Raises:
            InputError: The folder that the program runs in.
        """
        self.path, self.sound, self.provenance = new_folder(Path(path)), sound, provenance
        self.rate = fps
        self.made_of, self.resume, self.frames = made_of, resume, 0
        self.folder = self.path.with_name(f".{self.path.name}.parts")

    def __enter__(self) -> PngFolder:
        """Make the hidden folder.

        Raises:
            InputError: The path is a file, or a folder with files that are not ours.
        """
        if self.path.is_file():
            raise InputError(f"{self.path}: is a file; name a folder for the PNG files")
        known = (RESUME, SOUND, PROVENANCE)
        for other in self.path.iterdir() if self.path.is_dir() else ():
            if not (other.name in known or (other.suffix == ".png" and other.stem.isdecimal())):
                raise InputError(
                    f"{self.path}: holds {other.name}, which no rendering wrote; name an empty "
                    "folder for the PNG files"
                )
        self.frames = begin_parts(self.folder, self.made_of, self.resume, self._names())
        return self

    def _names(self) -> Iterator[str]:
        return (f"{number:06d}.png" for number in count())

    def write(self, picture: ByteArray) -> None:
        """Write the next picture."""
        import cv2

        order = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
        content = cv2.imencode(".png", cv2.cvtColor(picture, order))[1].tobytes()
        texts = self.provenance.tags() if self.provenance else {}
        named = {key.capitalize(): text for key, text in texts.items()}
        with atomic_path(self.folder / f"{self.frames:06d}.png") as temporary:
            temporary.write_bytes(png_with_text(content, named))
        self.frames += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the folder in place, or remove it after an error."""
        try:
            if kind is None:
                self._finish()
        finally:
            if not self.resume:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _finish(self) -> None:
        _write_sound(self.folder / SOUND, self.sound, self.frames / self.rate)
        if self.provenance:
            (self.folder / PROVENANCE).write_text(self.provenance.json(), encoding="utf-8")
        (self.folder / RESUME).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)
        os.replace(self.folder, self.path)


def _write_sound(path: Path, sound: Path, seconds: float) -> None:
    """The beginning of a sound file as mono 16-bit WAV, in constant memory."""
    left = round(seconds * SOUND_RATE)
    with wave.open(str(path), "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(SOUND_RATE)
        for piece in stream_sound(sound, SOUND_RATE):
            made.writeframes(np.round(piece[:left] * 32767).astype("<i2").tobytes())
            left = max(left - len(piece), 0)


class RawFrames:
    """Frames on a byte stream as they come, without sound.

    ``y4m`` is YUV4MPEG2 with 4:2:0 planes in BT.709, limited range; ``raw`` is rows of RGB bytes,
    RGBA with straight alpha where pictures have it, with nothing between frames.
    """

    def __init__(
        self, stream: BinaryIO, codec: str, fps: float, provenance: Provenance | None
    ) -> None:
        """Write to ``stream`` at ``fps``; only y4m has room to say what it is."""
        self.stream, self.codec, self.provenance = stream, codec, provenance
        self.rate = Fraction(fps).limit_denominator(1001)
        self.frames = 0

    def __enter__(self) -> RawFrames:
        return self

    def write(self, picture: ByteArray) -> None:
        """Write the next picture."""
        if self.codec == "raw":
            self.stream.write(np.ascontiguousarray(picture).tobytes())
        else:
            frame = video_frame(picture, "yuv420p", STANDARD)
            if not self.frames:
                self.stream.write(self._header(frame.width, frame.height))
            self.stream.write(b"FRAME\n" + frame.to_ndarray().tobytes())
        self.frames += 1

    def _header(self, width: int, height: int) -> bytes:
        rate = f"F{self.rate.numerator}:{self.rate.denominator}"
        mark = f" XSYNTHETIC=avatar-{self.provenance.avatar}" if self.provenance else ""
        kind = "Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED"
        return f"YUV4MPEG2 W{width} H{height} {rate} {kind}{mark}\n".encode()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send what is buffered."""
        if kind is None:
            self.stream.flush()


class Behind(Generic[T]):
    """Does an action on items one after the other in a thread of its own, a few items behind.

    Encoders work outside Python's lock, so the next frame is rendered meanwhile. An error comes up
    in the caller a few items late, at the latest when the ``with`` block ends.
    """

    def __init__(self, action: Callable[[T], None], waiting: int = 4) -> None:
        """``waiting`` items at most are held."""
        self.action, self.waiting = action, waiting
        self.pool = ThreadPoolExecutor(1)
        self.pending: deque[Future[None]] = deque()

    def __enter__(self) -> Behind[T]:
        return self

    def __call__(self, item: T) -> None:
        """Hand an item over; waits while too many are."""
        self.pending.append(self.pool.submit(self.action, item))
        while len(self.pending) > self.waiting:
            self.pending.popleft().result()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the rest; after an error drop it."""
        try:
            while kind is None and self.pending:
                self.pending.popleft().result()
        finally:
            self.pool.shutdown(cancel_futures=True)
