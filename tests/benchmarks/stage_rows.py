"""Where the time of a rendered video goes, stage by stage, and end to end."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nerf_talker.audio.registry import extractor_of_avatar
from nerf_talker.audio.sound import RATE, write_wav
from nerf_talker.audio.streaming import features_of_file
from nerf_talker.data.manifest import CameraModel, CropTransform
from nerf_talker.drive.speech import render_speech, speech_source
from nerf_talker.drive.video import SpeechVideo
from nerf_talker.field.expression import WIDTH
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.renderer import sample_rays
from nerf_talker.train.avatar import Avatar, AvatarInfo, load_avatar
from nerf_talker.types import Driving
from tests.benchmarks.shell_head import pose, shell_head
from tests.benchmarks.timing import settle

FRAMES = 50


@dataclass(frozen=True)
class Stage:
    """Milliseconds per frame of a part of the work; ``note`` says what it holds."""

    name: str
    ms: float
    note: str


def shell_avatar(size):
    """An avatar whose head costs what a trained one does, that holds still."""
    talker = shell_head(size)
    still = Driving(
        None,
        None,
        torch.zeros(2, WIDTH),
        pose().repeat(2, 1, 1),
        torch.tensor([[1.0, 0, 0, 0, 1, 0]]).repeat(2, 1),
        torch.zeros(2, dtype=torch.int64),
        25.0,
    )
    camera = CameraModel(focal=2.0 * size, centre=(size / 2, size / 2), height=size, width=size)
    info = AvatarInfo(
        subject="a shell",
        config=talker.config,
        camera=camera,
        audio_features=40,
        frames=3,
        fps=25,
        extractor="logmel40",
        crop=CropTransform(left=0, top=0, side=size, source_width=size, source_height=size),
        steps=0,
        preprocess_seconds=0,
        train_seconds=0,
    )
    return Avatar(talker, still, info)


def stages(device, avatar=None, size=256):
    """(stages, frames per second end to end) of speech rendered to an mp4."""
    made = load_avatar(avatar, device) if avatar else shell_avatar(size)
    made.talker.to(device)
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        noise = np.random.default_rng(0).standard_normal(FRAMES * RATE // 25)
        write_wav(speech, 0.1 * noise, RATE)
        found = list(_stages(made, speech, Path(folder) / "stage.mp4", size))
        render_speech(made, speech, Path(folder) / "warm.mp4")
        _, took = _timed(lambda: render_speech(made, speech, Path(folder) / "whole.mp4"))
    return found, FRAMES / took


def _timed(action):
    settle()
    begun = time.perf_counter()
    result = action()
    settle()
    return result, time.perf_counter() - begun


@torch.no_grad()
def _stages(avatar, speech, out, size):
    talker = avatar.talker
    extractor = extractor_of_avatar(avatar.metadata.extractor, None)
    _, heard = _timed(lambda: features_of_file(extractor, speech))
    driving = speech_source(avatar, speech).chunk(0, FRAMES).to(talker.background.device)
    renderer = PortraitRenderer(talker, size=size)
    list(renderer.frames(driving.select(slice(2))))
    condition, coded = _timed(lambda: talker.condition(driving))
    marched = _timed(lambda: [_march(renderer, driving, row) for row in range(FRAMES)])[1]
    poses = driving.camera_to_head
    heads = _timed(lambda: [renderer.head(poses, condition, row) for row in range(FRAMES)])[1]
    frames, whole = _timed(lambda: list(renderer.frames(driving)))
    _, encoded = _timed(lambda: _encode(out, speech, frames))
    for name, seconds, note in (
        ("features", heard, extractor.name),
        ("networks", coded + max(heads - marched, 0), "mouth code, then the head at its samples"),
        ("march", marched, "rays and their samples, alone"),
        ("composite", max(whole - heads - coded, 0), "torso and background, to the host"),
        ("encode", encoded, "x264 medium and AAC; runs beside the rendering"),
    ):
        yield Stage(name, seconds / FRAMES * 1e3, note)


def _march(renderer, driving, row):
    frame = torch.full_like(renderer.pixels[:, 0], row)
    rays = pixel_rays(
        renderer.camera, driving.camera_to_head, renderer.pixels, frame, renderer.bounds
    )
    return sample_rays(renderer.talker, rays, torch.full_like(rays.near, 0.5))


def _encode(out, speech, frames):
    with SpeechVideo(out, speech, 25, {}) as video:
        for frame in frames:
            video.write(frame.rgb)


def stage_section(found, rate):
    """The stages as Markdown."""
    total = sum(stage.ms for stage in found)
    lines = ["| stage of a rendered frame | ms | share | note |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {stage.name} | {stage.ms:.2f} | {stage.ms / total:.0%} | {stage.note} |"
        for stage in found
    ]
    lines.append(f"| end to end | {1e3 / rate:.2f} | | {rate:.1f} frames/s, sound to mp4 |")
    return "\n".join(lines)
