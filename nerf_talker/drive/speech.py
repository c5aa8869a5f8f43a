"""New speech to video with a trained avatar, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from nerf_talker import __version__
from nerf_talker.audio.registry import extractor_of_avatar
from nerf_talker.audio.sound import RATE, read_sound
from nerf_talker.drive.replay import replayed
from nerf_talker.drive.video import SpeechVideo
from nerf_talker.errors import InputError
from nerf_talker.field.audio_encoder import WINDOW
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
    extractor = extractor_of_avatar(avatar.metadata.extractor, audio_features)
    samples = read_sound(speech)
    fps = avatar.poses.fps
    frames = round(len(samples) / RATE * fps)
    if frames < 1:
        raise InputError(f"{speech}: shorter than one video frame; give at least {1 / fps:.2f} s")
    features = extractor.features(
        samples, RATE, lambda steps: tqdm(steps, extractor.name, disable=quiet, leave=False)
    )
    del samples
    talker = avatar.talker
    device = talker.background.device
    renderer = PortraitRenderer(talker, resolve_precision("auto", device))
    marks = synthetic_mark(avatar) if mark else {}
    with SpeechVideo(out, speech, fps, marks) as video:
        bar = tqdm(total=frames, desc="render", unit="frame", disable=quiet)
        for start in range(0, frames, CHUNK):
            times = np.arange(start, min(start + CHUNK, frames)) / fps
            windows = torch.from_numpy(features.windows(times, WINDOW)).to(device)
            for picture in renderer.frames(replayed(avatar.poses, windows, start)):
                video.write(picture.rgb)
                bar.update()
        bar.close()
    return RenderedSpeech(out, frames, fps)
