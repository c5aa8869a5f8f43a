"""The motion options of ``nerf-talker render`` and ``export``, and the sources they make."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nerf_talker.drive.motion.choices import DriveClip
    from nerf_talker.drive.source import DrivingSource
    from nerf_talker.train.avatar import Avatar
    from nerf_talker.types import FrameTrack

# Seconds by which a driving file and its sound may differ: frames are whole.
LENGTH_APART = 0.2


@dataclass(frozen=True)
class MotionArguments:
    """What moves besides the words."""

    text: str | None = None
    """What to say, in place of --audio; spoken by a speech synthesiser of yours."""
    voice: str | None = None
    """Synthesiser and voice for --text: espeak-ng:de, flite:slt, piper:VOICE.onnx."""
    pose: str = "source"
    """Head motion: source (the training clip to and fro), idle (like the clip, never repeating),
    generate (idle, with nods to the sound), fixed, or a file of poses (.npy, .npz, .csv)."""
    eyes: Literal["source", "idle", "fixed"] | None = None
    """Brows, gaze and blinks: of the clip, blinking as people do, or open and still. Default is
    idle, but source with --driving, --drive-video and --paste-back, which bring eyes along."""
    head_motion: float = 1.0
    """How much the head moves: 0 still, 1 as it is."""
    brows: float = 1.0
    """How much the brows move: 0 still, 1 as they are."""
    lip_opening: float = 1.0
    """How far the lips open: 0 closed, 1 as they do."""
    edit: Path | None = None
    """JSON file of keys that pin channels at times: head.yaw, eyeBlinkLeft, lips.opening..."""
    drive_video: Path | None = None
    """Another clip, or its dataset folder, whose head and face are copied."""
    mouth: Literal["audio", "video"] = "audio"
    """What moves the mouth: the sound, or the clip of --drive-video."""
    driving: Path | None = None
    """Driving file to render exactly, as --dump-driving wrote it."""
    dump_driving: Path | None = None
    """Write every channel of every frame to this file (.npz) too."""
    seed: int = 0
    """Of idle and generated motion; the same seed makes the same frames."""

    @contextmanager
    def sound(self, audio: Path | None, audio_features: str | None) -> Iterator[Path]:
        """The sound file to render over: ``audio``, the text spoken, or the drive video's own.

        Args:
            audio: File that was given.
            audio_features: Source of its features that was given.

        Raises:
            InputError: The text cannot be spoken.
            SystemExit: Two of them were given, or none; or an option without its use.
        """
        if self.voice is not None and self.text is None:
            print("error: --voice speaks --text; give both or leave it out", file=sys.stderr)
            raise SystemExit(2)
        if self.driving is not None and audio_features is not None:
            wrong = "--driving holds what the sound said; leave --audio-features out"
            print(f"error: {wrong}", file=sys.stderr)
            raise SystemExit(2)
        if (audio is None) == (self.text is None):
            clip = self.drive_video
            if audio is None and self.mouth == "video" and clip is not None and clip.is_file():
                yield clip
                return
            wrong = "not both" if audio is not None else "one is needed"
            print(f"error: give --audio FILE or --text WORDS, {wrong}", file=sys.stderr)
            raise SystemExit(2)
        if audio is not None:
            yield audio
            return
        from nerf_talker.drive.voices import speak

        with tempfile.TemporaryDirectory() as folder:
            spoken = Path(folder) / "speech.wav"
            speak(self.text or "", self.voice, spoken)
            yield spoken

    def source(
        self,
        avatar: Avatar,
        speech: Callable[[], DrivingSource],
        sound: Path,
        quiet: bool,
        is_pasted: bool = False,
    ) -> DrivingSource:
        """The chosen source, written to --dump-driving where that is wanted.

        Args:
            avatar: What is driven.
            speech: Makes the source for the sound; not called with --driving.
            sound: What is heard.
            quiet: No progress bars.
            is_pasted: Whether head, eyes and torso will be those of an original video.

        Raises:
            NerfTalkerError: One of the files cannot be used, or an option would do nothing.
        """
        from nerf_talker.config import validate_options
        from nerf_talker.drive.motion.choices import (
            MotionChoices,
            check_lips,
            chosen_source,
            usual_eyes,
        )
        from nerf_talker.drive.motion.driving_file import FileSource, write_driving
        from nerf_talker.drive.motion.edits import read_edits
        from nerf_talker.drive.motion.mouth import LipOpening

        names = ("pose", "eyes", "head_motion", "brows", "lip_opening", "edit", "seed")
        given = {name: getattr(self, name) for name in names}
        brought = is_pasted or self.driving is not None or self.drive_video is not None
        given["eyes"] = self.eyes or usual_eyes(brought)
        choices = validate_options(MotionChoices, given)
        check_lips(avatar, choices)
        if self.mouth == "video" and self.drive_video is not None:
            avatar.talker.need_landmarks("--mouth video")
        if self.edit is not None and self.drive_video is not None:  # before the clip is tracked
            read_edits(self.edit, LipOpening(avatar.talker))
        if is_pasted:
            self._refuse_pinned(avatar)
        from_file = self.driving is not None
        base = FileSource(self.driving, avatar.metadata) if self.driving else speech()
        if from_file:
            self._warn_of_length(len(base) / base.fps, sound)
        clip = self._clip(avatar, base.fps, sound, quiet)
        source = chosen_source(avatar, base, choices, sound, clip, from_file)
        if self.dump_driving is not None:
            write_driving(self.dump_driving, source)
        return source

    def read_files(self) -> list[Path | None]:
        """The files that the options name; that of the poses may be no file's name."""
        return [self.drive_video, self.driving, self.edit, Path(self.pose)]

    def _warn_of_length(self, driven: float, sound: Path) -> None:
        """Say when a driving file of some seconds is not of the sound."""
        from nerf_talker.audio.sound import RATE, stream_sound

        heard = sum(len(piece) for piece in stream_sound(sound)) / RATE
        if abs(driven - heard) > LENGTH_APART:
            print(
                f"warning: {self.driving}: lasts {driven:.2f} s, but {sound} {heard:.2f} s; "
                "it was made for another sound, and the frames end where it does",
                file=sys.stderr,
            )

    def _refuse_pinned(self, avatar: Avatar) -> None:
        """Refuse options that move what --paste-back takes from the original video.

        Raises:
            ConfigError: One of them is given.
        """
        from nerf_talker.drive.motion.edits import read_edits
        from nerf_talker.drive.motion.mouth import LipOpening
        from nerf_talker.errors import ConfigError

        lips = LipOpening(avatar.talker)
        tracks = [] if self.edit is None else read_edits(self.edit, lips)
        moved = {
            f"--pose {self.pose}": self.pose != "source",
            f"--eyes {self.eyes}": self.eyes not in (None, "source"),
            "--drive-video without --mouth video": self.drive_video and self.mouth != "video",
            f"--head-motion {self.head_motion:g}": self.head_motion != 1,
            f"--brows {self.brows:g}": self.brows != 1,
            "an --edit of another channel than the mouth's": not all(
                track.channel.is_mouth for track in tracks
            ),
        }
        for option, is_given in moved.items():
            if is_given:
                raise ConfigError(
                    f"{option}: --paste-back takes head, eyes and torso from the original video; "
                    "leave one of both out"
                )

    def _clip(self, avatar: Avatar, fps: float, sound: Path, quiet: bool) -> DriveClip | None:
        """The motion of --drive-video on the avatar, at the rate of what it goes with.

        Raises:
            InputError: It shows no face, or the video's mouth is wanted without a video.
        """
        from nerf_talker.drive.motion.choices import DriveClip
        from nerf_talker.drive.motion.reenact import reenacted
        from nerf_talker.errors import InputError

        if self.drive_video is None:
            if self.mouth == "video":
                raise InputError("--mouth video copies the mouth of --drive-video; name that clip")
            return None
        track = clip_track(self.drive_video, fps, sound, quiet)
        motion = reenacted(track, replace(avatar.poses.to("cpu"), fps=fps), avatar.talker)
        return DriveClip(motion, self.mouth == "video")


def clip_track(clip: Path, fps: float, sound: Path, quiet: bool) -> FrameTrack:
    """Tracked frames of a clip, or of a dataset folder."""
    from nerf_talker.data.dataset import read_track

    if clip.is_dir():
        return read_track(clip)
    from nerf_talker.cli.native_log import native_log_hidden
    from nerf_talker.preprocess.drive_clip import track_clip

    with native_log_hidden(), tempfile.TemporaryDirectory() as folder:
        return track_clip(clip, Path(folder), round(fps), sound, quiet)
