"""New speech to video with a trained avatar, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from nerf_talker.audio.quality import gain_to_level
from nerf_talker.audio.registry import extractor_of_avatar
from nerf_talker.audio.streaming import features_of_file, levels_of_file
from nerf_talker.drive.background import PLATE, Background, make_background
from nerf_talker.drive.coding import chosen_codec
from nerf_talker.drive.likeness import check_original
from nerf_talker.drive.motion.choices import MotionChoices, chosen_source, usual_eyes
from nerf_talker.drive.opening import open_sink
from nerf_talker.drive.options import PLAIN, RenderOptions
from nerf_talker.drive.original import Original, PinnedSource, open_original
from nerf_talker.drive.paste_back import PasteBack
from nerf_talker.drive.pixels import STANDARD, bytes_of
from nerf_talker.drive.provenance import draw_visible_mark
from nerf_talker.drive.resampling import at_rate
from nerf_talker.drive.silence import openness_of_levels
from nerf_talker.drive.sinks import Behind
from nerf_talker.drive.source import DrivingSource, SpeechSource
from nerf_talker.drive.source_clip import SourceClip
from nerf_talker.errors import ConfigError, InputError
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import Avatar
from nerf_talker.train.precision import resolve_precision
from nerf_talker.types import AudioFeatures, FloatArray, PortraitFrame

CHUNK = 50  # frames driven at once: two seconds
# A field seen closer than this many times shows its cells, no more detail.
LARGEST_SCALE, SMALLEST_SIZE = 4, 16
# Outputs that hold frames without their times.
_TIMELESS = ("png", "y4m", "raw")


@dataclass(frozen=True)
class RenderedSpeech:
    """What was written: the video, its frames and their rate.

    Attributes:
        path: The video, the folder of PNG files, or ``-``.
        frames: Its frames.
        fps: Their rate.
        resumed: Frames that an earlier call had finished.
    """

    path: Path
    frames: int
    fps: float
    resumed: int = 0


def render_speech(
    avatar: Avatar,
    speech: Path,
    out: str | Path,
    mark: bool = True,
    quiet: bool = True,
    audio_features: str | None = None,
    options: RenderOptions = PLAIN,
) -> RenderedSpeech:
    """Render an avatar speaking a sound file.

    Head and torso replay the training clip to and fro, so there is no jump and no end; eyes are
    those of ``nerf-talker render``. Frames go to the encoder as they are made.

    Args:
        avatar: A loaded avatar.
        speech: Any container with a sound track.
        out: What to write, see :mod:`nerf_talker.drive.coding`.
        mark: Mark the file as synthetic in its metadata.
        quiet: No progress bar.
        audio_features: Where the avatar's speech features come from, if from the user's files.
        options: How frames become a file.

    Returns:
        What was written; the video is as long as the speech to within one frame.

    Raises:
        InputError: The speech cannot be read or is empty, or the output cannot be written so.
        AvatarError: The avatar was trained on other speech features.
    """
    chosen_codec(out, options)
    source = speech_source(avatar, speech, quiet, audio_features, pasted_rate(options))
    choices = MotionChoices(eyes=usual_eyes(options.paste_back is not None))
    source = chosen_source(avatar, source, choices, speech)
    return render_source(avatar, source, speech, out, mark, quiet, options)


def pasted_rate(options: RenderOptions) -> float | None:
    """Frames per second of the video to paste into, at which the mouth is computed then."""
    return SourceClip.open(options.paste_back).fps if options.paste_back else None


def speech_source(
    avatar: Avatar,
    speech: Path,
    quiet: bool = True,
    audio_features: str | None = None,
    fps: float | None = None,
) -> DrivingSource:
    """Motion for a sound file: its mouth over the training clip's poses.

    Args:
        avatar: A loaded avatar.
        speech: Any container with a sound track.
        quiet: No progress bar.
        audio_features: Where the features come from, if from the user's files.
        fps: Frames per second; None for the avatar's.

    Raises:
        InputError: The speech cannot be read or is empty.
        AvatarError: The avatar was trained on other speech features.
    """
    features, openness = heard_speech(avatar, speech, audio_features, fps, quiet)
    poses = avatar.poses.to("cpu")
    return SpeechSource(avatar.talker, at_rate(poses, fps or poses.fps), features, openness)


def heard_speech(
    avatar: Avatar,
    speech: Path,
    audio_features: str | None = None,
    fps: float | None = None,
    quiet: bool = True,
) -> tuple[AudioFeatures, FloatArray]:
    """A sound file as the avatar hears it: as loud as its own speech was.

    Args:
        avatar: Whose hearing.
        speech: Any container with a sound track.
        audio_features: Where the features come from, if from the user's files.
        fps: Frames per second; None for the avatar's.
        quiet: No progress bar.

    Returns:
        The features, and (T,) how much each frame's mouth opens for them.

    Raises:
        InputError: The speech cannot be read or is shorter than a frame.
        AvatarError: The avatar was trained on other speech features.
    """
    extractor = extractor_of_avatar(avatar.metadata.extractor, audio_features)
    rate = fps or avatar.poses.fps
    levels = levels_of_file(speech)
    gain = gain_to_level(levels, float(avatar.talker.audio.level))

    def watch(blocks: Iterable[FloatArray]) -> Iterable[FloatArray]:
        return tqdm(blocks, extractor.name, disable=quiet, leave=False)

    features, seconds = features_of_file(extractor, speech, gain, watch)
    frames = round(seconds * rate)
    if frames < 1:
        raise InputError(f"{speech}: shorter than one video frame; give at least {1 / rate:.2f} s")
    activity = extractor.voice_activity
    return features, openness_of_levels(levels, rate, frames, features, activity)


def render_source(
    avatar: Avatar,
    source: DrivingSource,
    sound: Path,
    out: str | Path,
    mark: bool = True,
    quiet: bool = True,
    options: RenderOptions = PLAIN,
) -> RenderedSpeech:
    """Render driven frames to a video over a sound file.

    Args:
        avatar: A loaded avatar.
        source: What moves it.
        sound: Any container with a sound track.
        out: What to write, see :mod:`nerf_talker.drive.coding`.
        mark: Mark the file as synthetic in its metadata.
        quiet: No progress bar.
        options: How frames become a file.

    Returns:
        What was written.

    Raises:
        InputError: The output or the background cannot be had as asked for.
    """
    options = replace(options, mark=mark and options.mark)
    device, camera = avatar.talker.background.device, avatar.talker.camera
    _check_size(options.size, camera.width)
    original = _original(avatar, options, out)
    if original is not None:
        source = PinnedSource(original, source)
    renderer = PortraitRenderer(
        avatar.talker,
        resolve_precision("auto", device),
        options.size,
        figure=options.background != PLATE,
    )
    frames, scene = len(source), _scene(original, source, renderer, options.background)
    scene(0)  # what cannot be had is said before anything is written
    tags = original.clip.tags if original else STANDARD
    uneven = original.shown if original and not original.clip.is_even else None
    with open_sink(avatar, source, sound, out, options, tags, uneven) as sink:
        begun = min(sink.frames, frames)
        behind = scene(begun)

        def finish(made: tuple[int, PortraitFrame]) -> None:
            picture = bytes_of(behind.picture(made[1], made[0]), made[0])
            sink.write(draw_visible_mark(picture) if options.visible_mark else picture)

        bar = tqdm(total=frames, initial=begun, desc="render", unit="frame", disable=quiet)
        with bar, Behind(finish) as finished:
            for start in range(begun, frames, CHUNK):
                driving = source.chunk(start, min(start + CHUNK, frames)).to(device)
                for number, picture in enumerate(renderer.frames(driving), start):
                    finished((number, picture))
                    bar.update()
    return RenderedSpeech(Path(out), frames, source.fps, begun)


def _scene(
    original: Original | None, source: DrivingSource, renderer: PortraitRenderer, background: str
) -> Callable[[int], Background]:
    """From the number of the first frame to what makes pictures of rendered ones."""
    size = (renderer.camera.height, renderer.camera.width)

    def begin(first: int) -> Background:
        if original is not None:
            return PasteBack(original, len(source), first)
        return make_background(background, size, source.fps, first)

    return begin


def _original(avatar: Avatar, options: RenderOptions, out: str | Path) -> Original | None:
    if options.paste_back is None:
        if options.dataset is not None:
            raise ConfigError("--dataset: is used with --paste-back only; leave it out")
        return None
    if options.background != PLATE:
        raise ConfigError("--background: the original video is the background of --paste-back")
    original = open_original(avatar, options.paste_back, options.dataset)
    if chosen_codec(out, options) in _TIMELESS and original.clip.stray * original.clip.fps > 0.5:
        raise InputError(
            f"{options.paste_back}: its frames come at uneven times, up to "
            f"{original.clip.stray:.2f} s off, which {out} cannot hold; write a .mp4, .mov, .mkv "
            "or .webm"
        )
    check_original(avatar, original, options.paste_back)
    return original


def _check_size(size: int | None, trained: int) -> None:
    if size is not None and not SMALLEST_SIZE <= size <= LARGEST_SCALE * trained:
        raise ConfigError(
            f"--size {size}: this avatar was trained at {trained} pixels and renders from "
            f"{SMALLEST_SIZE} to {LARGEST_SCALE * trained}"
        )
