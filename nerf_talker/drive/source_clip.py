"""Any video as numbered pictures, forwards or to and fro, in constant memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.drive.pixels import ColourTags
from nerf_talker.errors import InputError
from nerf_talker.types import ByteArray

# Decoded pictures held at most while a video is read backwards.
_HELD_BYTES = 256e6
_THREADED_PIXELS = 1280 * 720
# Seconds by which frames of an even rate stray from it: files round their times.
_ROUNDED = 1e-3
# Seconds by which sums of times err at most.
_SAME = 1e-6


@dataclass(frozen=True)
class SourceClip:
    """A video whose frames are known by their times.

    Attributes:
        path: The file.
        width: Pixels, upright.
        height: Pixels, upright.
        fps: Mean frames per second.
        ticks: (F,) ascending timestamps in the stream's own unit.
        unit: Seconds per tick.
        keys: Ascending numbers of the frames that are decoded without others.
        stray: Seconds by which a frame is shown before or after its place at an even rate, at most.
        tags: How its colours are coded.
    """

    path: Path
    width: int
    height: int
    fps: float
    ticks: tuple[int, ...]
    unit: float
    keys: tuple[int, ...]
    stray: float
    tags: ColourTags

    @classmethod
    def open(cls, path: Path, wanted: str = "a video") -> SourceClip:
        """Read the timestamps and the first picture.

        Args:
            path: The file.
            wanted: What the user is to give instead of a file that cannot be read.

        Raises:
            InputError: The file is missing, no video, or damaged.
        """
        import av

        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file; give {wanted}")
        try:
            with av.open(str(path)) as container:
                if not container.streams.video:
                    raise InputError(f"{path}: has no pictures; give {wanted}")
                stream = container.streams.video[0]
                unit, rate = float(stream.time_base or 0), float(stream.average_rate or 0)
                stamps: dict[int, bool] = {}
                for packet in container.demux(stream):
                    stamp = packet.dts if packet.pts is None else packet.pts
                    if packet.size and stamp is not None:
                        stamps[stamp] = bool(packet.is_keyframe)
                ticks = tuple(sorted(stamps))
                tags = ColourTags.of(stream)
            first = next(_decoded(path, None))
        except (av.FFmpegError, StopIteration, TypeError) as error:
            reason = getattr(error, "strerror", None) or "no frame in it"
            raise InputError(f"{path}: cannot be read ({reason}); give {wanted}") from None
        fps, stray = _even_rate([(tick - ticks[0]) * unit for tick in ticks], rate, unit)
        keys = tuple(number for number, tick in enumerate(ticks) if stamps[tick])
        height, width = upright(*first).shape[:2]
        return cls(path, width, height, fps, ticks or (0,), unit, keys, stray, tags)

    def __len__(self) -> int:
        return len(self.ticks)

    @property
    def is_even(self) -> bool:
        """Whether frames come at equal times, but for rounding."""
        return self.stray <= max(_ROUNDED, self.unit)

    def nearest(self, seconds: float) -> int:
        """The frame to show at a time after the first frame; the video repeats for ever."""
        if self.is_even:
            return round(seconds * self.fps) % len(self)
        place = seconds % (self.seconds(len(self) - 1) + 1 / self.fps)
        shown = bisect_right(range(len(self)), place + _SAME, key=self.seconds)
        return max(shown - 1, 0)

    def seconds(self, number: int) -> float:
        """When a frame is shown, after the first; at an even rate without the file's rounding."""
        if self.is_even:
            return number / self.fps
        return (self.ticks[number] - self.ticks[0]) * self.unit

    def forward(self, numbers: Iterable[int]) -> Iterator[ByteArray]:
        """(H, W, 3) RGB pictures of frames that go on, stay, or start anew at a smaller number.

        Raises:
            InputError: A frame cannot be decoded.
        """
        decoded: Iterator[tuple[int, Any, float]] | None = None
        shown, picture = -1, None
        for number in numbers:
            if decoded is None or number < shown:
                decoded, shown, picture = self._numbered(number), -1, None
            while shown < number or picture is None:
                found = self._next(decoded, number)
                shown = found[0]
                if shown >= number:
                    picture = upright(*found[1:])
            yield picture

    def walk(self, numbers: Iterable[int]) -> Iterator[ByteArray]:
        """Pictures of frames in an order that goes forwards and backwards by steps."""
        numbers = list(numbers)
        held = max(int(_HELD_BYTES / (3 * self.width * self.height)), 2)
        at = 0
        while at < len(numbers):
            stop = at + 1
            down = stop < len(numbers) and numbers[stop] < numbers[at]
            while stop < len(numbers) and (numbers[stop] < numbers[stop - 1]) == down:
                if down and stop - at >= held:
                    break
                stop += 1
            part = numbers[at:stop]
            if down:
                yield from reversed(list(self.forward(reversed(part))))
            else:
                yield from self.forward(part)
            at = stop

    def _next(
        self, decoded: Iterator[tuple[int, Any, float]], number: int
    ) -> tuple[int, Any, float]:
        import av

        try:
            return next(decoded)
        except av.FFmpegError as error:
            reason = error.strerror
        except StopIteration:
            reason = "it ends before"
        raise InputError(
            f"{self.path}: frame {number} of {len(self)} cannot be decoded ({reason}); "
            "export the video again"
        ) from None

    def _numbered(self, first: int) -> Iterator[tuple[int, Any, float]]:
        """Numbers and decoded frames from ``first`` or earlier on."""
        numbers = {tick: number for number, tick in enumerate(self.ticks)}
        for seek in (self.ticks[first], None):
            begun = False
            for frame, aspect in _decoded(self.path, seek):
                number = numbers.get(frame.pts if frame.pts is not None else frame.dts)
                if number is None:
                    continue
                if not begun and number > first:
                    break  # the index led past the frame: read from the beginning
                begun = True
                yield number, frame, aspect
            if begun:
                return


def _even_rate(times: list[float], stated: float, unit: float) -> tuple[float, float]:
    """Frames per second, and how far frames of those times stray from it, seconds.

    The rate that the file states holds where it is theirs but for rounding to the ``unit``; else it
    is measured.
    """
    if len(times) < 2:
        return stated or 25.0, 0.0
    measured = (len(times) - 1) / times[-1]
    frames = np.arange(len(times))
    strays = {
        rate: float(np.abs(frames / rate - times).max()) for rate in (stated, measured) if rate
    }
    fits = stated and strays[stated] <= max(strays[measured], _ROUNDED, unit)
    rate = stated if fits else measured
    return rate, strays[rate]


def _decoded(path: Path, seek: int | None) -> Iterator[tuple[Any, float]]:
    """Frames, and the aspect of their pixels, from a timestamp's group of pictures on."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        large = stream.width * stream.height > _THREADED_PIXELS
        stream.thread_type = "AUTO" if large else "NONE"
        if seek is not None:
            container.seek(seek, stream=stream, backward=True)
        aspect = float(stream.sample_aspect_ratio or 1)
        for frame in container.decode(stream):
            yield frame, aspect


def upright(frame: Any, aspect: float) -> ByteArray:
    """A decoded frame as RGB with square pixels and the container's rotation applied.

    Args:
        frame: PyAV's.
        aspect: Width of a pixel over its height.
    """
    if abs(aspect - 1) < 1e-3:
        picture = frame.to_ndarray(format="rgb24")
    else:
        width, height = round(frame.width * max(aspect, 1)), round(frame.height / min(aspect, 1))
        picture = frame.to_ndarray(format="rgb24", width=width, height=height)
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else np.asarray(picture)
