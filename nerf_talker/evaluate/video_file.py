"""Any video as a clock and a stream of pictures, part by part, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.errors import InputError
from nerf_talker.evaluate.lips import Series
from nerf_talker.types import ByteArray

_SAME_RATE = 0.01
"""Relative difference up to which the file's stated rate is believed over its timestamps."""


@dataclass(frozen=True)
class VideoFile:
    """A video whose frames are known by their times.

    Attributes:
        path: The file.
        width: Pixels.
        height: Pixels.
        fps: Mean frames per second.
        ticks: (F,) timestamps in the stream's own unit, ascending.
        unit: Seconds per tick.
    """

    path: Path
    width: int
    height: int
    fps: float
    ticks: tuple[int, ...]
    unit: float

    @classmethod
    def open(cls, path: Path) -> VideoFile:
        """Read the timestamps, no picture.

        Raises:
            InputError: The file is missing, no video, or holds fewer than two frames.
        """
        import av

        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file; give a video")
        try:
            with av.open(str(path)) as container:
                if not container.streams.video:
                    raise InputError(f"{path}: has no picture track; give a video")
                stream = container.streams.video[0]
                stamps = [
                    packet.dts if packet.pts is None else packet.pts
                    for packet in container.demux(stream)
                    if packet.size
                ]
                ticks = tuple(sorted(stamp for stamp in stamps if stamp is not None))
                unit, rate = float(stream.time_base or 0), float(stream.average_rate or 0)
                width, height = stream.codec_context.width, stream.codec_context.height
        except (av.FFmpegError, TypeError) as error:
            reason = getattr(error, "strerror", None) or "no usable frame times"
            raise InputError(
                f"{path}: cannot be read as a video ({reason}); export it again"
            ) from None
        if len(ticks) < 2 or ticks[-1] == ticks[0]:
            raise InputError(f"{path}: holds {len(ticks)} frames with a time; give a longer video")
        measured = (len(ticks) - 1) / ((ticks[-1] - ticks[0]) * unit)
        stated = abs(rate / measured - 1) <= _SAME_RATE
        return cls(path, width, height, rate if stated else measured, ticks, unit)

    def __len__(self) -> int:
        return len(self.ticks)

    @property
    def start(self) -> float:
        """Seconds on the file's clock at which the first frame is shown."""
        return self.ticks[0] * self.unit

    def times(self) -> Series:
        """(F,) seconds after the first frame at which each frame appears."""
        return (np.array(self.ticks, np.float64) - self.ticks[0]) * self.unit

    def pictures(self, wanted: list[int]) -> Iterator[ByteArray]:
        """The (H, W, 3) uint8 pictures of ascending frame numbers, a number as often as asked.

        Raises:
            InputError: The file is damaged; the frame is named.
        """
        import av

        last: ByteArray | None = None
        shown = -1
        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.video[0]
                stream.thread_type = "NONE"
                decoded = self._from(container, stream, wanted[0])
                for number in wanted:
                    while shown < number:
                        shown, frame = next(decoded, (len(self), None))
                        if frame is None:
                            raise InputError(
                                f"{self.path}: frame {number} of {len(self)} cannot be decoded; "
                                "export the video again"
                            )
                        if shown >= number:
                            last = frame.to_ndarray(format="rgb24")
                    assert last is not None
                    yield last
        except av.FFmpegError as error:
            raise InputError(
                f"{self.path}: damaged after frame {max(shown, 0)} ({error.strerror}); "
                "export it again"
            ) from None

    def _from(self, container: Any, stream: Any, first: int) -> Iterator[tuple[int, Any]]:
        """Numbers and decoded frames from ``first`` or earlier on."""
        numbers = {tick: number for number, tick in enumerate(self.ticks)}
        container.seek(self.ticks[first], stream=stream, backward=True)
        begun = False
        for frame in container.decode(stream):
            number = numbers.get(frame.pts)
            if number is None:
                continue
            if not begun and number > first:
                # The container's index led past the frame: read from the beginning.
                container.seek(self.ticks[0], stream=stream, backward=True)
                yield from (
                    (numbers[f.pts], f) for f in container.decode(stream) if f.pts in numbers
                )
                return
            begun = True
            yield number, frame
