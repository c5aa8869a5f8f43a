"""Video in and out: constant-rate frames of any clip, and the dataset's own videos.

Frames are (H, W, 3) uint8 RGB. Reading streams; memory does not grow with the clip's length.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nerf_talker.data.manifest import CropTransform
from nerf_talker.errors import InputError
from nerf_talker.preprocess.hdr import CURVES, standard_range
from nerf_talker.types import ByteArray

# Above this many pixels threaded decoding is faster than its overhead.
_THREADED_PIXELS = 1280 * 720


@dataclass(frozen=True)
class VideoInfo:
    """What a container declares about its first video stream.

    Attributes:
        frames: Declared number of frames, 0 when unknown.
        seconds: Declared length, 0 when unknown.
        fps: Average frame rate, 0 when unknown.
        has_sound: Whether there is a sound track.
        high_dynamic_range: Whether the brightness curve is that of HDR (PQ or HLG).
    """

    frames: int
    seconds: float
    fps: float
    has_sound: bool
    high_dynamic_range: bool = False


@dataclass(frozen=True)
class Shot:
    """A decoded frame and how it is to be shown.

    Attributes:
        frame: PyAV's frame.
        pixel_aspect: Width of a pixel over its height.
    """

    frame: Any
    pixel_aspect: float


def probe(path: Path) -> VideoInfo:
    """Read a clip's header.

    Raises:
        InputError: No such file, no video in it, or not a media file at all.
    """
    import av

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; give a video of one person speaking")
    if not path.is_file():
        raise InputError(f"{path}: is not a file; give a video of one person speaking")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: has no video track; give a video, not only a sound")
            stream = container.streams.video[0]
            tick = float(stream.time_base or 0)
            declared = (stream.duration or 0) * tick
            if not declared and container.duration:
                declared = container.duration / 1e6
            rate = float(stream.average_rate or 0)
            curve = getattr(stream.codec_context, "color_trc", None)
            sound = bool(container.streams.audio)
            return VideoInfo(stream.frames, declared, rate, sound, curve in CURVES)
    except av.FFmpegError as error:
        raise InputError(
            f"{path}: is not a video that can be read ({error.strerror}): damaged, cut off while "
            "copying, or another kind of file; export it again as mp4"
        ) from None


def timed_frames(path: Path) -> Iterator[tuple[float, Shot]]:
    """(seconds, decoded frame) in presentation order; :func:`upright` makes it a picture.

    Raises:
        InputError: The stream is damaged; the position is named.
    """
    import av

    count, seconds = 0, 0.0
    info = probe(path)
    rate = info.fps or 25.0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            aspect = float(stream.sample_aspect_ratio or 1)
            large = stream.width * stream.height > _THREADED_PIXELS
            stream.thread_type = "AUTO" if large else "NONE"
            for frame in container.decode(stream):
                seconds = count / rate if frame.time is None else float(frame.time)
                yield seconds, Shot(frame, aspect)
                count += 1
    except av.FFmpegError as error:
        raise InputError(
            f"{path}: cut off or damaged: only {seconds:.2f} s of {info.seconds:.2f} s "
            f"({count} frames) can be read ({error.strerror}); copy or export it again"
        ) from None


def steady_frames(path: Path, fps: float) -> Iterator[ByteArray]:
    """The clip at a constant rate: at k / fps the frame nearest in time, turned upright.

    Variable-rate files are followed by their timestamps, never by their frame count.
    """
    start: float | None = None
    before: tuple[float, Shot] | None = None
    pace = 1 / (probe(path).fps or fps)
    index = 0
    for seconds, frame in timed_frames(path):
        start = seconds if start is None else start
        now = seconds - start
        if before is not None:
            pace = now - before[0] if now > before[0] else pace
            picture = None
            while index / fps < (before[0] + now) / 2:
                picture = upright(before[1]) if picture is None else picture
                yield picture
                index += 1
        before = (now, frame)
    if before is not None:
        picture = upright(before[1])
        end = round((before[0] + min(pace, 0.5)) * fps)
        while index < end:
            yield picture
            index += 1


def upright(shot: Shot) -> ByteArray:
    """A frame as sRGB with square pixels and the container's rotation applied.

    Pixels that are not square are stretched, never squeezed: no detail is lost.
    """
    frame, aspect = standard_range(shot.frame), shot.pixel_aspect
    if abs(aspect - 1) < 1e-3:
        picture = frame.to_ndarray(format="rgb24")
    else:
        width = round(frame.width * max(aspect, 1))
        height = round(frame.height / min(aspect, 1))
        picture = frame.to_ndarray(format="rgb24", width=width, height=height)
    turns = round(getattr(shot.frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def thumbnail(shot: Shot, side: int) -> ByteArray:
    """(side, side, 3) RGB averages of a frame, not turned."""
    small = shot.frame.to_ndarray(format="rgb24", width=side, height=side, interpolation="AREA")
    return np.asarray(small, np.uint8)


def cropped_frames(
    path: Path,
    fps: float,
    crop: CropTransform,
    size: int,
    span: tuple[int, int | None] | None = None,
) -> Iterator[ByteArray]:
    """The clip's crop at a constant rate, resized to ``size`` squared.

    Args:
        path: The clip.
        fps: Frames per second wanted.
        crop: The square to keep.
        size: Its side in the result.
        span: First and last + 1 (None: the end) of the frames wanted, counted at ``fps``.
    """
    for picture in islice(steady_frames(path, fps), *(span or (None,))):
        yield crop_resize(picture, crop, size)


def crop_resize(picture: ByteArray, crop: CropTransform, size: int) -> ByteArray:
    """The square crop of a source picture at ``size``, area-averaged when it shrinks."""
    import cv2

    left, top, side = round(crop.left), round(crop.top), round(crop.side)
    part = picture[top : top + side, left : left + side]
    if part.shape[:2] == (size, size):
        return np.ascontiguousarray(part)
    shrinks = side > size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (size, size), interpolation=how))


class VideoWriter:
    """Writes the dataset's videos: RGB as H.264 4:4:4, grey as lossless FFV1.

    Use as a context manager; the file is complete when the block ends.
    """

    def __init__(self, path: Path, size: int, fps: float, grey: bool) -> None:
        """Open ``path`` for frames of ``size`` squared at ``fps``."""
        from fractions import Fraction

        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        # Otherwise every file gets an identity drawn by lot: equal work gives equal bytes.
        exact = {"fflags": "+bitexact"}
        self._container = av.open(str(path), "w", format="matroska", container_options=exact)
        rate = Fraction(fps).limit_denominator(1000)
        self._stream: Any = self._container.add_stream("ffv1" if grey else "libx264", rate=rate)
        self._stream.width = self._stream.height = size
        self._stream.pix_fmt = "gray" if grey else "yuv444p"
        if grey:
            self._stream.options = {"level": "3", "coder": "1", "context": "1", "g": "50"}
        else:
            self._stream.options = {"crf": "10", "preset": "veryfast"}
        self._format = "gray" if grey else "rgb24"

    def write(self, picture: ByteArray) -> None:
        """Append one (S, S, 3) RGB or (S, S) grey frame."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=self._format)
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def read_video(path: Path, grey: bool, rows: Collection[int] | None = None) -> Iterator[ByteArray]:
    """Frames of one of the dataset's own videos, in order.

    Args:
        path: The video.
        grey: Yield (S, S) grey pictures, of a colour video its luma, instead of (S, S, 3).
        rows: Only these frame numbers; the others are decoded but not converted.
    """
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for index, frame in enumerate(container.decode(stream)):
            if rows is None or index in rows:
                picture = frame.to_ndarray(format="gray" if grey else "rgb24")
                yield np.asarray(picture, np.uint8)
