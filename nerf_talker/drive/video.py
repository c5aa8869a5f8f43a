"""A video file with sound, written frame by frame and put in place only when complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nerf_talker.errors import AvatarError, InputError
from nerf_talker.types import FloatArray

SOUND_RATE = 48_000


class SpeechVideo:
    """mp4 (H.264 yuv420p, AAC, faststart) of rendered frames over a sound file.

    Use as a context manager; leaving it with an error removes the partial file.
    """

    def __init__(
        self, path: Path, sound: Path, fps: float, mark: dict[str, str], crf: int = 16
    ) -> None:
        """Nothing is opened before the ``with`` block.

        Args:
            path: The video to write.
            sound: Any container with an audio stream that PyAV reads.
            fps: Frames per second.
            mark: Metadata of the file, e.g. that it is synthetic.
            crf: Constant rate factor of x264, lower is better.
        """
        self.path, self.sound, self.mark, self.crf = Path(path), sound, mark, crf
        self.fps = Fraction(fps).limit_denominator(1001)
        self.partial = self.path.with_name(f".{self.path.name}.part")
        self.frames = 0
        self.video: Any = None

    def __enter__(self) -> SpeechVideo:
        """Open the output."""
        import av

        if self.path.is_dir():
            raise InputError(f"{self.path}: is a folder; name the video file to write")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.container: Any = av.open(
            str(self.partial), "w", format="mp4", options={"movflags": "+faststart"}
        )
        self.container.metadata.update(self.mark)
        self.audio = self.container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        self.audio.bit_rate = 128_000
        self.blocks = _sound_blocks(self.sound)
        self.heard = 0.0
        return self

    def write(self, rgb: FloatArray) -> None:
        """Append one (H, W, 3) float picture in [0, 1].

        Raises:
            AvatarError: The picture holds a value that is not a finite number.
        """
        import av
        from av.video.reformatter import ColorRange, Colorspace

        if not np.isfinite(rgb).all():
            raise AvatarError(f"frame {self.frames} of the rendering is not finite; train again")

        picture = np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
        # yuv420p halves both axes: an odd edge is repeated once.
        picture = np.pad(
            picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), "edge"
        )
        if self.video is None:
            self._open_video(picture.shape[0], picture.shape[1])
        # The default conversion is BT.601; the file says, and players expect, BT.709.
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts = self.frames
        frame.time_base = 1 / self.fps
        self.container.mux(self.video.encode(frame))
        self.frames += 1
        self._sound_until(self.frames / float(self.fps))

    def _open_video(self, height: int, width: int) -> None:
        self.video = self.container.add_stream("libx264", rate=self.fps)
        self.video.height, self.video.width = height, width
        self.video.pix_fmt = "yuv420p"
        self.video.options = {"crf": str(self.crf), "preset": "medium"}
        self.video.codec_context.color_range = 1
        self.video.codec_context.colorspace = 1

    def _sound_until(self, seconds: float) -> None:
        """Encode sound up to a time, so that both streams grow side by side."""
        while self.heard < seconds:
            block = next(self.blocks, None)
            if block is None:
                return
            self.container.mux(self.audio.encode(block))
            self.heard += block.samples / SOUND_RATE

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Flush and put the file in place, or remove it after an error."""
        try:
            if kind is None and self.video is not None:
                self._sound_until(self.frames / float(self.fps))
                self.container.mux(self.video.encode(None))
                self.container.mux(self.audio.encode(None))
            self.container.close()
            if kind is None and self.video is not None:
                os.replace(self.partial, self.path)
        finally:
            self.partial.unlink(missing_ok=True)


def _sound_blocks(sound: Path) -> Iterator[Any]:
    """Mono 48 kHz blocks of a sound file, decoded as they are needed."""
    import av

    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SOUND_RATE)
    with av.open(str(sound)) as source:
        for frame in source.decode(audio=0):
            frame.pts = None
            yield from resampler.resample(frame)
        yield from resampler.resample(None)
