"""New speech to video with a trained avatar, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from nerf_talker import __version__
from nerf_talker.audio.registry import extractor_of_avatar
from nerf_talker.audio.sound import RATE, read_sound
from nerf_talker.drive.source import DrivingSource, SpeechSource
from nerf_talker.drive.video import SpeechVideo
from nerf_talker.errors import InputError
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import Avatar
from nerf_talker.train.precision import resolve_precision

CHUNK = 50  # frames driven at once: two seconds


@dataclass(frozen=True)
class RenderedSpeech:
    """What was written: the video, its frames and their rate."""

    path: Path
    frames: int
    fps: float


def synthetic_mark(avatar: Avatar) -> dict[str, str]:
    """Metadata that says what the video is."""
    subject = avatar.metadata.subject
    return {
        "title": f"Synthetic video of {subject}",
        "comment": (
            f"SYNTHETIC: speech-driven rendering by nerf-talker {__version__}. "
            f"{avatar.metadata.consent}"
        ),
    }


def render_speech(
    avatar: Avatar,
    speech: Path,
    out: Path,
    mark: bool = True,
    quiet: bool = True,
    audio_features: str | None = None,
) -> RenderedSpeech:
    """Render an avatar speaking a sound file.

    Head poses, blinks and the torso replay the training clip to and fro, so there is no jump and no
    end. Frames go to the encoder as they are made.

    Args:
        avatar: A loaded avatar.
        speech: Any container with a sound track.
        out: The mp4 to write.
        mark: Mark the file as synthetic in its metadata.
        quiet: No progress bar.
        audio_features: Where the avatar's speech features come from, if from the user's files.

    Returns:
        What was written; the video is as long as the speech to within one frame.

    Raises:
        InputError: The speech cannot be read or is empty.
        AvatarError: The avatar was trained on other speech features.
    """
    source = speech_source(avatar, speech, quiet, audio_features)
    return render_source(avatar, source, speech, out, mark, quiet)


def speech_source(
    avatar: Avatar, speech: Path, quiet: bool = True, audio_features: str | None = None
) -> DrivingSource:
    """Motion for a sound file: its mouth over the training clip's poses.

    Raises:
        InputError: The speech cannot be read or is empty.
        AvatarError: The avatar was trained on other speech features.
    """
    extractor = extractor_of_avatar(avatar.metadata.extractor, audio_features)
    samples = read_sound(speech)
    fps = avatar.poses.fps
    frames = round(len(samples) / RATE * fps)
    if frames < 1:
        raise InputError(f"{speech}: shorter than one video frame; give at least {1 / fps:.2f} s")
    features = extractor.features(
        samples, RATE, lambda steps: tqdm(steps, extractor.name, disable=quiet, leave=False)
    )
    return SpeechSource(avatar.poses.to("cpu"), features, frames)


def render_source(
    avatar: Avatar,
    source: DrivingSource,
    sound: Path,
    out: Path,
    mark: bool = True,
    quiet: bool = True,
) -> RenderedSpeech:
    """Render driven frames to a video over a sound file.

    Args:
        avatar: A loaded avatar.
        source: What moves it.
        sound: Any container with a sound track.
        out: The mp4 to write.
        mark: Mark the file as synthetic in its metadata.
        quiet: No progress bar.

    Returns:
        What was written.
    """
    frames, device = len(source), avatar.talker.background.device
    renderer = PortraitRenderer(avatar.talker, resolve_precision("auto", device))
    marks = synthetic_mark(avatar) if mark else {}
    with SpeechVideo(out, sound, source.fps, marks) as video:
        bar = tqdm(total=frames, desc="render", unit="frame", disable=quiet)
        for start in range(0, frames, CHUNK):
            driving = source.chunk(start, min(start + CHUNK, frames)).to(device)
            for picture in renderer.frames(driving):
                video.write(picture.rgb)
                bar.update()
        bar.close()
    return RenderedSpeech(out, frames, source.fps)
