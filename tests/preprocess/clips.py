"""Clips of any rate, codec, shape and sound, with a clock in picture and sound.

The clock is a white bar at the top whose length is the time, and a short beep every half second.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

SECONDS = 4.0
BEEPS = np.arange(0.5, SECONDS - 0.2, 0.5)
STRIP = 8


@dataclass(frozen=True)
class Kind:
    """How a clip is written; ``times`` overrides ``fps``."""

    suffix: str = "mp4"
    fps: Fraction = Fraction(25)
    times: tuple[float, ...] | None = None
    codec: str = "libx264"
    pixels: str = "yuv420p"
    turned: int = 0
    aspect: Fraction = Fraction(1)
    sound: str = "aac"
    rate: int = 16000
    layout: str = "mono"
    late: float = 0.0
    curve: int | None = None

    def moments(self, seconds):
        if self.times is not None:
            return [time for time in self.times if time < seconds]
        return [float(k / self.fps) for k in range(round(seconds * self.fps))]


def write_clip(path, picture_at, kind, seconds=SECONDS, sound_at=None):
    """Write ``picture_at(second)`` -> RGB and ``sound_at(seconds array)`` -> mono, if not None."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream(kind.codec, rate=kind.fps)
        first = _stored(picture_at(0.0), kind)
        video.height, video.width, video.pix_fmt = *first.shape[:2], kind.pixels
        video.options = {"preset": "ultrafast", "crf": "14"}
        video.codec_context.time_base = Fraction(1, 30000)
        if kind.codec == "libx265":
            video.options = {"preset": "ultrafast", "x265-params": "log-level=none"}
        if kind.codec.startswith("libvpx"):
            video.options = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "2M"}
        if kind.turned:
            video.set_display_rotation(kind.turned)
        if kind.aspect != 1:
            video.codec_context.sample_aspect_ratio = kind.aspect
        if kind.curve is not None:
            video.codec_context.color_trc = kind.curve
        speech = None
        if sound_at is not None:
            speech = container.add_stream(kind.sound, rate=kind.rate, layout=kind.layout)
        for second in kind.moments(seconds):
            shown = np.ascontiguousarray(_stored(picture_at(second), kind))
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame.pts, frame.time_base = round(second * 30000), Fraction(1, 30000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if speech is not None:
            _write_sound(container, speech, kind, sound_at, seconds)
    return path


def _stored(picture, kind):
    """The picture as it lies in the file: turned and squeezed."""
    picture = np.rot90(picture, -kind.turned // 90)
    return picture[:, :: int(kind.aspect)]


def _write_sound(container, speech, kind, sound_at, seconds):
    import av

    wave = sound_at(np.arange(round(seconds * kind.rate)) / kind.rate).astype(np.float32)
    channels = 2 if kind.layout == "stereo" else 1
    size = 960
    for start in range(0, len(wave) - size + 1, size):
        part = np.tile(wave[None, start : start + size], (channels, 1))
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=kind.layout)
        frame.sample_rate, frame.time_base = kind.rate, Fraction(1, kind.rate)
        frame.pts = start + round(kind.late * kind.rate)
        container.mux(speech.encode(frame))
    container.mux(speech.encode(None))


def with_clock(picture, second):
    """The picture with the time as a bar in its first rows."""
    picture = picture.copy()
    place = np.arange(picture.shape[1])
    bar = np.clip(second / SECONDS * picture.shape[1] - place, 0, 1)
    picture[:STRIP] = np.round(255 * bar).astype(np.uint8)[None, :, None]
    return picture


def clock_of(picture):
    """The time a picture shows, seconds."""
    strip = np.asarray(picture[1 : STRIP - 2], np.float64).mean((0, 2))
    white = strip[:4].mean() if strip[:4].mean() > 200 else 255.0
    return float(strip.mean() / white) * SECONDS


def beeps(seconds):
    """A 1 kHz beep of 20 ms at each of :data:`BEEPS`, which are the middles."""
    sound = np.zeros_like(seconds)
    for beep in BEEPS:
        inside = np.abs(seconds - beep) < 0.01
        window = 0.5 + 0.5 * np.cos(np.pi * (seconds[inside] - beep) / 0.01)
        sound[inside] = 0.8 * window * np.sin(2000 * np.pi * (seconds[inside] - beep))
    return sound


def beep_time(samples, rate, beep):
    """Middle of the beep near a time, seconds."""
    first = round((beep - 0.15) * rate)
    part = np.asarray(samples[first : first + round(0.3 * rate)], np.float64) ** 2
    return (first + float((part * np.arange(len(part))).sum() / part.sum())) / rate
