"""Encoded parts of a video put together with their sound, packet by packet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.audio.sound import stream_sound
from nerf_talker.drive.coding import Coding
from nerf_talker.types import FloatArray

SOUND_RATE = 48_000
SOUND_BITS = 128_000
_TICKS = 90_000  # a second, of frames at uneven times


@dataclass(frozen=True)
class FrameTimes:
    """When the frames of a video are shown.

    Attributes:
        rate: Frames per second, the mean where they come at uneven times.
        uneven: Seconds at which each frame is shown, the first at 0; None for an even rate.
    """

    rate: Fraction
    uneven: Callable[[int], float] | None = None

    @property
    def unit(self) -> Fraction:
        """Seconds per tick."""
        return 1 / self.rate if self.uneven is None else Fraction(1, _TICKS)

    def tick(self, number: int) -> int:
        """When a frame is shown; also before the first, where packets are decoded."""
        if self.uneven is None:
            return number
        return round(_TICKS * (number / self.rate if number < 0 else self.uneven(number)))


def join_parts(
    made: Path,
    parts: Sequence[Path],
    length: int,
    times: FrameTimes,
    coding: Coding,
    sound: Path,
    mark: dict[str, str],
) -> None:
    """Copy the packets of parts into one file and encode the sound beside them.

    Args:
        made: The file.
        parts: At least one, each of ``length`` frames but the last.
        length: Frames per part.
        times: When frames are shown.
        coding: Whose parts they are.
        sound: Any container with an audio stream; it ends when the pictures do.
        mark: Metadata of the file.
    """
    import av

    flags = {"movflags": coding.movflags} if coding.movflags else {}
    with av.open(str(made), "w", format=coding.container, options=flags) as container:
        container.metadata.update(mark)
        with av.open(str(parts[0])) as first:
            template = first.streams.video[0]
            video = container.add_stream_from_template(template)
            if times.uneven is not None:
                video.time_base = times.unit
            if coding.alpha and coding.codec == "vp9":
                video.metadata["alpha_mode"] = "1"  # else players do not look for it
            if coding.codec == "hevc":
                video.codec_context.codec_tag = "hvc1"
        track = _SoundTrack(container, coding.sound, sound)
        latest = None
        for number, part in enumerate(parts):
            for packet, shown, decoded in _packets(part, number * length, times.rate):
                # Players and containers want decoding times that only grow.
                latest = decoded if latest is None else max(decoded, latest + 1)
                begin, end = times.tick(shown), times.tick(shown + 1)
                packet.dts = times.tick(latest)
                packet.pts, packet.duration = max(begin, packet.dts), end - begin
                packet.time_base, packet.stream = times.unit, video
                container.mux(packet)
                track.until(end * times.unit)
        track.finish()


def _packets(part: Path, first: int, rate: Fraction) -> Iterator[tuple[Any, int, int]]:
    """Packets of a part with the frame numbers at which each is shown and decoded."""
    import av

    with av.open(str(part)) as container:
        for packet in container.demux(video=0):
            if packet.pts is None:
                continue  # the demuxer's end mark
            frames = packet.time_base * rate
            shown = first + round(packet.pts * frames)
            decoded = shown if packet.dts is None else first + round(packet.dts * frames)
            yield packet, shown, decoded


class _SoundTrack:
    """Sound encoded as far as the pictures have come, so that both streams grow side by side."""

    def __init__(self, container: Any, encoder: str, sound: Path) -> None:
        self.container = container
        self.stream = container.add_stream(encoder, rate=SOUND_RATE, layout="mono")
        if encoder != "pcm_s16le":
            self.stream.bit_rate = SOUND_BITS
        self.blocks = stream_sound(sound, SOUND_RATE)
        self.heard = 0
        self.rest: FloatArray | None = None

    def until(self, seconds: Fraction) -> None:
        """Encode the samples that sound before ``seconds``, to the sample."""
        wanted = round(seconds * SOUND_RATE)
        while self.heard < wanted:
            block = self.rest if self.rest is not None else next(self.blocks, None)
            if block is None:
                return
            now = wanted - self.heard
            self.rest = block[now:] if len(block) > now else None
            self._encode(block[:now])

    def _encode(self, block: FloatArray) -> None:
        import av

        samples = np.ascontiguousarray(block[None])
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = SOUND_RATE, self.heard
        frame.time_base = Fraction(1, SOUND_RATE)
        self.container.mux(self.stream.encode(frame))
        self.heard += len(block)

    def finish(self) -> None:
        """Flush the encoder."""
        self.container.mux(self.stream.encode(None))
