"""Sound in, pieces as they come; pictures out as soon as enough of the sound is known.

The same features, the same driving and the same renderer as for a file: a stream is the file's path
asked for less at a time. A picture waits for a fixed, stated length of sound after its own time.
With the whole of it, it is the picture that a file would have had, but for two things that a file
is looked through for first, and a stream learns on the way:

- How loud the speaker is. A file is brought to the level that the avatar was trained at by the
  level of its whole speech, a stream by the speech so far (nearly done after two seconds of it), or
  at once by a level that is given.
- What is silence. The mouth closes in pauses of 0.3 s and more, told by the loudest sound around
  them and by the recording's noise; a stream knows both from the 30 s before and the look-ahead
  alone. So it may take for speech what only a later, much louder sound shows to be none.

With less look-ahead, the mouth closes late in a pause, since most silences turn out to be short.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.extractor import Extractor, checked_sound
from nerf_talker.audio.quality import BLOCK_SECONDS
from nerf_talker.audio.registry import extractor_of_avatar
from nerf_talker.audio.sound import RATE
from nerf_talker.audio.streaming import feature_stream
from nerf_talker.drive.silence import KNOWN, RAMP, openness_so_far
from nerf_talker.drive.source import DrivingSource, SpeechSource
from nerf_talker.drive.stream_levels import StreamLevels
from nerf_talker.errors import ConfigError
from nerf_talker.field.audio_encoder import WINDOW
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import Avatar
from nerf_talker.train.precision import resolve_precision
from nerf_talker.types import AudioFeatures, Driving, FloatArray, PortraitFrame

# Feature rows of a window after its middle.
ROWS_AHEAD = WINDOW - WINDOW // 2 - 1
# Seconds of features kept behind the next picture, more than any window reaches back.
_KEPT = 4.0

MakeSource = Callable[[Driving, AudioFeatures, FloatArray], DrivingSource]
"""From an avatar's poses, features and (T,) openness of the mouth, right for the frames that are
asked for, to what moves it."""


@dataclass(frozen=True)
class StreamedFrames:
    """What a piece of sound completed.

    Attributes:
        first: Number of the first picture in the video.
        pictures: Consecutive pictures, perhaps none.
        features_seconds: Time that the speech features took.
        render_seconds: Time that driving and rendering took.
    """

    first: int
    pictures: tuple[PortraitFrame, ...]
    features_seconds: float
    render_seconds: float


class SpeechStream:
    """One utterance of an avatar, from its first sample to :meth:`finish`."""

    def __init__(
        self,
        avatar: Avatar,
        look_ahead: float | None = None,
        size: int | None = None,
        figure: bool = False,
        make_source: MakeSource | None = None,
        audio_features: str | None = None,
        level: float | None = None,
    ) -> None:
        """Begin before the first sample.

        Args:
            avatar: A loaded avatar.
            look_ahead: Seconds of sound after its time that a picture waits for; None for all that
                a file's picture would see. With less, the last known features stand for the rest.
            size: Width of the pictures in pixels; None for that of training.
            figure: Render pictures that can be put over another background.
            make_source: What moves the avatar; None for speech over the training clip's motion.
            audio_features: Source of the features, where they come from files of the user.
            level: How loud the speaker's speech is, decibels of full scale, as
                :func:`nerf_talker.audio.quality.speech_level` measures it; None learns it.

        Raises:
            AvatarError: The avatar was trained on features that cannot be had.
            ConfigError: Less look-ahead than the features themselves need, or a level that no
                speech has.
            InputError: The features come from a file made for one whole sound.
        """
        extractor = extractor_of_avatar(avatar.metadata.extractor, audio_features)
        self.rows_ahead = _rows_ahead(extractor, look_ahead)
        self.look_ahead = extractor.look_ahead + self.rows_ahead / extractor.rate
        self.fps = avatar.poses.fps
        self._poses, self._make = avatar.poses.to("cpu"), make_source or _speech_of(avatar)
        self._device = avatar.talker.background.device
        precision = resolve_precision("auto", self._device)
        self._renderer = PortraitRenderer(avatar.talker, precision, size, figure)
        self._stream = feature_stream(extractor)
        self._extractor, self._openness = extractor, 0.0
        self._levels = StreamLevels(float(avatar.talker.audio.level), level)
        empty = np.empty((0, extractor.dims), np.float32)
        self._features = AudioFeatures(empty, extractor.rate, extractor.name, 0.0)
        self._first_row = self._heard = self._shown = 0

    def push(self, samples: npt.ArrayLike) -> StreamedFrames:
        """Hear (n,) further samples, float in [-1, 1], mono at 16 kHz.

        Raises:
            InputError: Several channels, or samples that are not numbers.
        """
        begun = time.perf_counter()
        piece = checked_sound(samples, RATE, self._heard / RATE)
        self._heard += len(piece)
        self._keep(self._stream.push(self._levels.push(piece)))
        known = self._first_row + len(self._features.values)
        ready = self._shown
        while self._last_row(ready) < known:
            ready += 1
        return self._render(ready, begun)

    def finish(self) -> StreamedFrames:
        """The last pictures; the sound is over, as a file is."""
        begun = time.perf_counter()
        self._keep(self._stream.finish())
        stop = max(round(self._heard / RATE * self.fps), self._shown)
        return self._render(stop, begun, is_over=True)

    def _middle(self, frame: int) -> int:
        return int(np.round(frame / self.fps * self._features.rate))

    def _last_row(self, frame: int) -> int:
        """The last row of features that a picture waits for."""
        return self._middle(frame) + self.rows_ahead

    def _blocks(self, frame: int) -> int:
        """How many whole blocks of sound have been heard by then."""
        seconds = self._last_row(frame) / self._features.rate + self._extractor.look_ahead
        return int(seconds / BLOCK_SECONDS + 1e-6)

    def _keep(self, rows: npt.NDArray[np.float32]) -> None:
        """Append rows and forget those that no picture needs any more."""
        rate = self._features.rate
        oldest = max(self._middle(self._shown) - round(_KEPT * rate), self._first_row)
        values = np.concatenate([self._features.values[oldest - self._first_row :], rows])
        self._features = replace(self._features, values=values, offset=oldest / rate)
        self._first_row = oldest

    def _render(self, stop: int, begun: float, is_over: bool = False) -> StreamedFrames:
        heard = time.perf_counter()
        first, pictures = self._shown, []
        openness = np.zeros(max(stop, first), np.float32)
        for frame in range(first, stop):
            openness[frame] = self._opened(frame, is_over)
        step = max(stop - first, 1) if self.rows_ahead >= ROWS_AHEAD else 1
        for start in range(first, stop, step):
            last = min(start + step, stop)
            source = self._make(self._poses, self._seen(last - 1), openness[:last])
            driving = source.chunk(start, last).to(self._device)
            pictures += list(self._renderer.frames(driving))
        self._shown = max(stop, first)
        self._levels.forget(self._blocks(self._shown))
        done = time.perf_counter()
        return StreamedFrames(first, tuple(pictures), heard - begun, done - heard)

    def _opened(self, frame: int, is_over: bool) -> float:
        """How much of the speech's mouth a frame shows, by what it may know."""
        first, levels = self._levels.before(self._blocks(frame))
        begins = first * BLOCK_SECONDS
        values = self._features.values[: self._last_row(frame) + 1 - self._first_row]
        wanted = openness_so_far(
            levels,
            frame / self.fps - begins,
            replace(self._features, values=values, offset=self._features.offset - begins),
            self._extractor.voice_activity,
            is_over,
        )
        # What becomes known late still opens and closes the mouth no faster than a ramp does.
        step = np.pi / 2 / (RAMP * self.fps)
        near = np.clip(wanted, self._openness - step, self._openness + step)
        self._openness = float(near) if frame else wanted
        return self._openness

    def _seen(self, frame: int) -> AudioFeatures:
        """The features that a frame may see; the last of them stands for those after it."""
        missing = max(ROWS_AHEAD - self.rows_ahead, 0)
        if not missing:
            return self._features
        stop = self._last_row(frame) + 1 - self._first_row
        known = self._features.values[:stop]
        return replace(self._features, values=np.pad(known, ((0, missing), (0, 0)), "edge"))


def _speech_of(avatar: Avatar) -> MakeSource:
    """Speech over the training clip's motion."""

    def make(poses: Driving, features: AudioFeatures, openness: FloatArray) -> DrivingSource:
        return SpeechSource(avatar.talker, poses, features, openness)

    return make


def _rows_ahead(extractor: Extractor, look_ahead: float | None) -> int:
    """Rows of features after its own that a picture waits for; no more than tell it something."""
    pause = math.ceil((KNOWN - extractor.look_ahead) * extractor.rate - 1e-6)
    most = max(ROWS_AHEAD, pause)
    if look_ahead is None:
        return most
    if not look_ahead >= extractor.look_ahead:
        raise ConfigError(
            f"look-ahead {look_ahead:g} s: the speech features '{extractor.name}' alone need "
            f"{extractor.look_ahead:.3f} s; give at least that"
        )
    return int(min((look_ahead - extractor.look_ahead) * extractor.rate + 1e-6, most))
