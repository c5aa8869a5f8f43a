"""The report's small video: truth, prediction and error side by side in one H.264 stream.

One stream cannot fall out of step: the page draws its three panes from the same decoded frame.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any

import numpy as np

from nerf_talker.evaluate.gallery import heat
from nerf_talker.evaluate.sound import Sound
from nerf_talker.types import ByteArray

PANES = ("truth", "prediction", "error")

TALLEST = 256
"""Pixels of height above which a pane is made smaller."""

LONGEST = 60.0
"""Seconds after which the player's video ends; the figures go on."""

BUDGET = 4_000_000
"""Bytes of picture the page may carry, whatever the clip."""

FASTEST = 1_600_000
"""Bits per second that three panes need at most."""

SOUND_BITS = 48_000
KEY_EVERY = 12
"""Frames between key frames, so that scrubbing is prompt."""


@dataclass(frozen=True)
class Clip:
    """A finished small video: its file, the width and height of a pane, and its frames."""

    content: bytes = b""
    pane: tuple[int, int] = (0, 0)
    frames: int = 0


class Player:
    """Encodes what it is shown into memory; use as a context manager, then read ``clip``."""

    def __init__(self, frames: int, fps: float, sound: Sound | None) -> None:
        """Nothing is opened before the first frame.

        Args:
            frames: Frames that will come; of longer clips the beginning is shown.
            fps: Frames per second.
            sound: What is heard from the first frame on, or None.
        """
        self.frames = min(frames, max(int(LONGEST * fps), 1))
        self.fps = Fraction(fps).limit_denominator(1001)
        self.sound = sound
        self.clip = Clip()
        self.written = 0
        self.pane = (0, 0)
        self._buffer = io.BytesIO()
        self._container: Any = None

    def __enter__(self) -> Player:
        """The player itself."""
        return self

    def add(self, truth: ByteArray, predicted: ByteArray) -> None:
        """Append one frame of two (H, W, 3) uint8 pictures."""
        import av

        if self.written >= self.frames:
            return
        if self._container is None:
            self._open(*truth.shape[:2])
        panes = [self._fit(p) for p in (truth, predicted, heat(predicted, truth))]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.hstack(panes)), format="rgb24")
        frame.pts, frame.time_base = self.written, 1 / self.fps
        self._container.mux(self._video.encode(frame))
        self.written += 1

    def _open(self, height: int, width: int) -> None:
        import av

        scale = min(1.0, TALLEST / height)
        self.pane = (max(round(width * scale / 2) * 2, 2), max(round(height * scale / 2) * 2, 2))
        # A muxer writes its header with the first packet: both streams must be there before it.
        self._container = av.open(self._buffer, "w", format="mp4")
        self._video = self._container.add_stream("libx264", rate=self.fps)
        self._video.width, self._video.height = self.pane[0] * len(PANES), self.pane[1]
        self._video.pix_fmt = "yuv420p"
        self._video.bit_rate = int(min(FASTEST, BUDGET * 8 / (self.frames / float(self.fps))))
        self._video.options = {"preset": "veryfast", "tune": "zerolatency"}
        self._video.codec_context.gop_size = KEY_EVERY
        self._video.codec_context.thread_count = 1
        if self.sound is not None and len(self.sound.samples):
            self._voice = self._container.add_stream("aac", rate=self.sound.rate, layout="mono")
            self._voice.bit_rate = SOUND_BITS

    def _fit(self, picture: ByteArray) -> ByteArray:
        import cv2

        if picture.shape[1::-1] == self.pane:
            return picture
        return np.asarray(cv2.resize(picture, self.pane, interpolation=cv2.INTER_AREA), np.uint8)

    def _write_sound(self) -> None:
        import av

        if self.sound is None or not len(self.sound.samples):
            return
        heard = self.sound.slice(0, self.written / float(self.fps)).levels().astype(np.float32)
        for first in range(0, len(heard), 1024):
            block = av.AudioFrame.from_ndarray(heard[None, first : first + 1024], "fltp", "mono")
            block.sample_rate, block.pts = self.sound.rate, first
            block.time_base = Fraction(1, self.sound.rate)
            self._container.mux(self._voice.encode(block))
        self._container.mux(self._voice.encode())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file; after an error there is no content."""
        if self._container is None:
            return
        if kind is None:
            self._container.mux(self._video.encode())
            self._write_sound()
        self._container.close()
        if kind is None:
            self.clip = Clip(self._buffer.getvalue(), self.pane, self.written)
