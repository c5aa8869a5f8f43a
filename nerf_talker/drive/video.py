"""A video file with sound, written frame by frame and put in place only when complete.

Pictures are encoded into parts of fixed length in a hidden folder beside the output. When all are
there, their packets are copied, not encoded again, into the file with its sound. So a killed
rendering loses one part at most, memory is the same for a second and for a day, and the timestamps
follow from frame numbers alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from nerf_talker.drive.coding import Coding, video_coding
from nerf_talker.drive.joining import FrameTimes, join_parts
from nerf_talker.drive.parts import begin_parts
from nerf_talker.drive.pixels import STANDARD, ColourTags, bytes_of, video_frame
from nerf_talker.errors import InputError
from nerf_talker.types import ByteArray, FloatArray

# Frames per part: 20 s at 25 fps, and two of x264's longest groups of pictures.
PART = 500
_OPEN = "open"


class SpeechVideo:
    """A video of rendered frames over a sound file, in any :class:`Coding`.

    Use as a context manager; leaving it with an error removes what was written, unless it is to be
    resumed.
    """

    def __init__(
        self,
        path: Path,
        sound: Path,
        fps: float,
        mark: dict[str, str],
        coding: Coding | None = None,
        tags: ColourTags = STANDARD,
        made_of: str = "",
        resume: bool = False,
        part: int = PART,
        uneven: Callable[[int], float] | None = None,
    ) -> None:
        """Nothing is opened before the ``with`` block.

        Args:
            path: The video to write.
            sound: Any container with an audio stream that PyAV reads.
            fps: Frames per second, the mean where they come at uneven times.
            mark: Metadata of the file, e.g. that it is synthetic.
            coding: Encoder and container; None goes by the path's ending.
            tags: How colours are coded.
            made_of: What the frames depend on, see ``resume``.
            resume: Use finished parts of an earlier writing, stopped or killed, that were made of
                the same; and keep them when this one stops.
            part: Frames per part.
            uneven: Seconds at which each frame is shown; None for an even rate.

        Raises:
            InputError: The path is a folder, or its ending is not known.
        """
        self.path, self.sound, self.mark, self.tags = Path(path), sound, mark, tags
        self.coding = coding or video_coding(self.path)
        self.rate = Fraction(fps).limit_denominator(1001)
        self.times = FrameTimes(self.rate, uneven)
        self.made_of, self.resume, self.part = made_of, resume, part
        self.folder = self.path.with_name(f".{self.path.name}.parts")
        self.frames = 0
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> SpeechVideo:
        """Open the output; ``frames`` then says how many are there already."""
        if self.path.is_dir():
            raise InputError(f"{self.path}: is a folder; name the video file to write")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        names = (self._name(number).name for number in count())
        self.frames = self.part * begin_parts(self.folder, self.made_of, self.resume, names)
        return self

    def write(self, picture: FloatArray | ByteArray) -> None:
        """Append one (H, W, 3) picture, (H, W, 4) with straight alpha where the coding has it.

        Args:
            picture: uint8, or float in [0, 1].

        Raises:
            AvatarError: The picture holds a value that is not a finite number.
        """
        frame = video_frame(bytes_of(picture, self.frames), self.coding.pixels, self.tags)
        if self._container is None:
            self._open(frame.height, frame.width)
        frame.pts = self.frames % self.part
        frame.time_base = 1 / self.rate
        self._container.mux(self._stream.encode(frame))
        self.frames += 1
        if self.frames % self.part == 0:
            self._close(self.frames - self.part)

    def _name(self, part: int | str) -> Path:
        name = part if isinstance(part, str) else f"{part:06d}"
        return self.folder / f"{name}.{self.coding.part}"

    def _open(self, height: int, width: int) -> None:
        import av

        self._container = av.open(str(self._name(_OPEN)), "w", format=self.coding.part)
        stream = self._container.add_stream(self.coding.encoder, rate=self.rate)
        stream.height, stream.width = height, width
        stream.pix_fmt, stream.options = self.coding.pixels, self.coding.options
        if self.coding.bitrate is not None:
            stream.bit_rate = self.coding.bitrate
        if self.coding.codec == "hevc":
            stream.codec_context.codec_tag = "hvc1"  # the only tag that Apple's players open
        self.tags.write_to(stream)
        self._stream = stream

    def _close(self, first: int) -> None:
        """Finish the open part, whose first frame is ``first``."""
        if self._container is None:
            return
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._container = self._stream = None
        os.replace(self._name(_OPEN), self._name(first // self.part))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the file in place, or remove it after an error."""
        try:
            if kind is None:
                self._close(self.frames - self.frames % self.part)
                self._join()
        finally:
            if self._container is not None:
                self._container.close()
                self._container = None
                self._name(_OPEN).unlink(missing_ok=True)
            if kind is None or not self.resume:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _join(self) -> None:
        if not self.frames:
            return
        parts = [self._name(number) for number in range(-(-self.frames // self.part))]
        made = self.folder / f"joined.{self.coding.part}"
        join_parts(made, parts, self.part, self.times, self.coding, self.sound, self.mark)
        os.replace(made, self.path)
