"""What a user may choose about motion, and the source that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from nerf_talker.config import StrictModel
from nerf_talker.drive.motion.amplitude import FaceAmplitude, HeadAmplitude
from nerf_talker.drive.motion.edits import EditedSource, read_edits
from nerf_talker.drive.motion.eyes import (
    BlinkingSource,
    Blinks,
    EyeRange,
    eye_range,
    most_shown,
    open_eyes,
    without_blinks,
)
from nerf_talker.drive.motion.graph import GraphWalk
from nerf_talker.drive.motion.mouth import LipOpening
from nerf_talker.drive.motion.nods import Nods, loudness
from nerf_talker.drive.motion.pose_files import read_poses
from nerf_talker.drive.motion.poses import (
    ExpressionSource,
    FixedPose,
    GivenPoses,
    Motion,
    MovedSource,
    Replay,
)
from nerf_talker.drive.motion.reenact import MouthOfClip
from nerf_talker.drive.resampling import at_rate, poses_at_rate
from nerf_talker.drive.source import DrivingSource
from nerf_talker.train.avatar import Avatar
from nerf_talker.types import Driving

EyeChoice = Literal["source", "idle", "fixed"]


class MotionChoices(StrictModel):
    """Motion besides the mouth's words; the defaults leave a source as it is.

    Attributes:
        pose: Where head poses come from: ``source`` (the clip to and fro, or what the driving file
            says), ``idle`` (the clip's motion, never repeating), ``generate`` (idle with nods on
            the stresses of the sound), ``fixed``, or a file, see :mod:`.pose_files`.
        eyes: Brows, gaze and blinks: ``source``, ``idle`` (blinks of human statistics) or
            ``fixed`` (open and still).
        head_motion: Factor on the motion of head and body about their mean.
        brows: Factor on the motion of the brows about their mean.
        lip_opening: Factor on the opening of the lips from closed.
        edit: File of edits, see :mod:`.edits`.
        seed: Of all chance; the same seed makes the same frames.
    """

    pose: str = "source"
    eyes: EyeChoice = "source"
    head_motion: float = Field(default=1.0, ge=0, le=5)
    brows: float = Field(default=1.0, ge=0, le=5)
    lip_opening: float = Field(default=1.0, ge=0, le=5)
    edit: Path | None = None
    seed: int = Field(default=0, ge=0)


def usual_eyes(are_brought: bool) -> EyeChoice:
    """The eyes of a video for which nobody chose any.

    Args:
        are_brought: Whether a driving file, another clip or the original video brings eyes along.
    """
    return "source" if are_brought else "idle"


@dataclass(frozen=True)
class DriveClip:
    """Motion of another clip on the avatar, and whether its mouth is wanted too."""

    motion: Driving
    with_mouth: bool


def check_lips(avatar: Avatar, choices: MotionChoices) -> None:
    """Refuse a lip opening that the avatar cannot follow; needs no sound, clip or file of edits.

    Raises:
        ConfigError: The avatar's lips learned from the sound, and no landmarks move them.
    """
    if choices.lip_opening != 1:
        avatar.talker.need_landmarks(f"--lip-opening {choices.lip_opening:g}")


def chosen_source(
    avatar: Avatar,
    base: DrivingSource,
    choices: MotionChoices,
    sound: Path,
    clip: DriveClip | None = None,
    from_file: bool = False,
) -> DrivingSource:
    """``base`` with the motion that was chosen; ``base`` itself where nothing was.

    Args:
        avatar: Whose range and statistics count.
        base: Mouth, and whatever else is not chosen; its rate is the video's.
        choices: What the user chose.
        sound: What is heard; ``generate`` nods to it.
        clip: Motion of another clip, in place of the training clip's, at the base's rate.
        from_file: Whether ``base`` is a driving file, whose own poses and eyes are ``source``.

    Raises:
        InputError: A file cannot be used.
        ConfigError: The lips are to move by landmarks, and the avatar's learned from the sound.
    """
    check_lips(avatar, choices)
    own = avatar.poses.to("cpu")
    scale = avatar.talker.expression
    eyes = eye_range(own.expression, own.fps, most_shown(scale))
    shown = at_rate(own, base.fps) if clip is None else clip.motion
    reference = _with_eyes(shown, choices.eyes, eyes)
    source = base
    if choices.pose != "source" or clip is not None:
        motion = _motion(avatar, reference, choices, sound, len(base))
        keeps_eyes = from_file and choices.eyes == "source" and clip is None
        source = MovedSource(source, motion, with_expression=not keeps_eyes)
    elif choices.eyes != "source":
        source = ExpressionSource(source, Replay(reference))
    if choices.eyes == "idle":
        blinks = Blinks(base.fps, eyes.per_minute, choices.seed)
        source = BlinkingSource(source, eyes, blinks)
    if clip is not None and clip.with_mouth:
        avatar.talker.need_landmarks("--mouth video")
        source = MouthOfClip(source, clip.motion)
    return _adjusted(avatar, source, own, choices)


def _adjusted(
    avatar: Avatar, source: DrivingSource, own: Driving, choices: MotionChoices
) -> DrivingSource:
    """Amplitudes, then edits, which are to hold as they are written."""
    if choices.head_motion != 1:
        source = HeadAmplitude(source, own, choices.head_motion)
    lips = LipOpening(avatar.talker)
    if (choices.brows, choices.lip_opening) != (1, 1):
        source = FaceAmplitude(source, own, lips, choices.brows, choices.lip_opening)
    if choices.edit is not None:
        source = EditedSource(source, read_edits(choices.edit, lips), lips)
    return source


def _with_eyes(reference: Driving, choice: EyeChoice, eyes: EyeRange) -> Driving:
    if choice == "idle":
        return without_blinks(reference, eyes)
    return open_eyes(reference, eyes) if choice == "fixed" else reference


def _motion(
    avatar: Avatar, reference: Driving, choices: MotionChoices, sound: Path, frames: int
) -> Motion:
    if choices.pose == "source":
        return Replay(reference)
    if choices.pose == "idle":
        return GraphWalk(reference, choices.seed)
    if choices.pose == "fixed":
        return FixedPose(reference)
    if choices.pose == "generate":
        level = loudness(sound, reference.fps, frames)
        return Nods(GraphWalk(reference, choices.seed), reference, level)
    poses = poses_at_rate(read_poses(Path(choices.pose)), avatar.poses.fps, reference.fps)
    return GivenPoses(reference, poses, avatar.talker.torso.motion)
