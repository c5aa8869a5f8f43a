"""Lossless, frame-aligned videos of what was compared, for scoring with other tools."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from nerf_talker.types import ByteArray


class LosslessVideo:
    """An FFV1 video in Matroska that appears under its name only when it is complete.

    FFV1 stores RGB exactly; every decoder of the FFmpeg family reads it.
    """

    def __init__(self, path: Path, size: int, fps: float) -> None:
        import av

        self._path = path
        self._temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
        self._container: Any = av.open(str(self._temporary), "w")
        rate = Fraction(fps).limit_denominator(1001)
        self._stream: Any = self._container.add_stream("ffv1", rate=rate)
        self._stream.width = self._stream.height = size
        self._stream.pix_fmt = "bgr0"

    def write(self, picture: ByteArray) -> None:
        """Append one (size, size, 3) uint8 RGB frame."""
        import av
        import numpy as np

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        self._container.mux(self._stream.encode(frame.reformat(format="bgr0")))

    def __enter__(self) -> LosslessVideo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or remove it after a failure."""
        try:
            if kind is None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if kind is None:
                os.replace(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)
