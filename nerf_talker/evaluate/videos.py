"""Lossless, frame-aligned videos of what was compared, for scoring with other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.atomic import atomic_path
from nerf_talker.types import ByteArray


@contextmanager
def lossless_video(path: Path, size: int, fps: float) -> Iterator[Callable[[ByteArray], None]]:
    """An FFV1 video in Matroska that appears under its name only when it is complete.

    FFV1 stores RGB exactly; every decoder of the FFmpeg family reads it.

    Args:
        path: The file; its folder must exist.
        size: Width and height in pixels.
        fps: Frames per second.

    Yields:
        A function that appends one (size, size, 3) uint8 RGB frame.
    """
    import av

    # Without it the muxer draws an identifier, and no two files of the same frames are equal.
    exact = {"fflags": "+bitexact"}
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), "w", container_options=exact) as container,
    ):
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = container.add_stream("ffv1", rate=rate)
        stream.width = stream.height = size
        stream.pix_fmt = "bgr0"

        def write(picture: ByteArray) -> None:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))

        yield write
        container.mux(stream.encode())
