"""The built-in sample clip: a computer-drawn person who speaks, with exact truth beside it.

No footage is needed to try or to test the product: geometry, textures, voice and motion all come
from code and a seed. The character is always the same; the seed changes what is said and how the
head moves. The pieces: :mod:`sample_face` (skin that poses), :mod:`sample_parts`,
:mod:`sample_hair`, :mod:`sample_body` (everything else), :mod:`sample_texture`,
:mod:`sample_raster`, :mod:`sample_scene` (pictures), :mod:`sample_speech` (phones and sound) and
:mod:`sample_motion` (who moves when).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.atomic import atomic_path
from nerf_talker.data.sample_motion import FPS, Performance, perform
from nerf_talker.data.sample_scene import Picture, Scene
from nerf_talker.data.sample_speech import RATE, synthesise
from nerf_talker.errors import InputError
from nerf_talker.geometry.mesh import lip_gap

_MIN_SIZE, _MAX_SIZE = 32, 1024
# Gaze in radians that MediaPipe's model, looking at the sample, scores as fully aside.
_FULL_GAZE = 0.36


@dataclass(frozen=True)
class SamplePaths:
    """What :func:`write_sample` wrote: the clip and its truth."""

    clip: Path
    truth: Path


@dataclass(frozen=True)
class Sample:
    """A rendered sample in memory.

    Attributes:
        performance: What was performed.
        scene: What was drawn.
        pictures: The frames asked for.
        frames: Their indices.
    """

    performance: Performance
    scene: Scene
    pictures: list[Picture]
    frames: list[int]


def render_sample(
    seconds: float = 12.0, size: int = 256, seed: int = 0, frames: list[int] | None = None
) -> Sample:
    """Renders some frames (all by default) of the sample without writing anything.

    Args:
        seconds: Length of the performance.
        size: Side of the square pictures in pixels.
        seed: What is said and how the head moves.
        frames: Which of the round(25 * seconds) frames to draw.

    Raises:
        InputError: A size or a length that cannot be drawn.
    """
    check_sample(seconds, size)
    performance, scene = perform(seconds, seed), Scene(size)
    chosen = list(range(len(performance))) if frames is None else frames
    return Sample(performance, scene, list(_pictures(scene, performance, chosen)), chosen)


def sample_sound(performance: Performance, seed: int) -> npt.NDArray[np.float32]:
    """(N,) mono speech of a performance at :data:`sample_speech.RATE`."""
    return synthesise(performance.speech, np.random.default_rng([seed, 1]))


def write_sample(
    folder: Path, seconds: float = 12.0, size: int = 256, seed: int = 0, quiet: bool = True
) -> SamplePaths:
    """Writes ``sample.mp4`` and ``sample_truth.npz``; the same arguments give the same bytes.

    The truth holds, for F frames at ``size`` x ``size``: fps (), focal () px, landmarks (F, 478, 3)
    px, blendshapes (F, 52), camera_to_head and camera_to_body (F, 4, 4) metres, labels (F, H, W),
    head_alpha (F, H, W), background (H, W, 3), jaw (F,), lip_gap (F,) relative to the distance of
    the outer eye corners, blink (F,), phones (F,) names of the sounds.

    Args:
        folder: Where to; made when missing.
        seconds: Length, rounded to whole frames of 1/25 s.
        size: Even side of the square picture in pixels.
        seed: What is said and how the head moves.
        quiet: No progress bar.

    Raises:
        InputError: A size or a length that cannot be drawn.
    """
    from tqdm import tqdm

    check_sample(seconds, size)
    folder.mkdir(parents=True, exist_ok=True)
    paths = SamplePaths(folder / "sample.mp4", folder / "sample_truth.npz")
    performance, scene = perform(seconds, seed), Scene(size)
    pictures = tqdm(
        _pictures(scene, performance, list(range(len(performance)))),
        total=len(performance),
        desc="sample clip",
        unit="frame",
        disable=quiet or not sys.stderr.isatty(),
    )
    with atomic_path(paths.clip) as clip, atomic_path(paths.truth) as truth:
        drawn = _write_clip(clip, pictures, size, sample_sound(performance, seed))
        arrays: Any = truth_arrays(performance, scene, drawn)
        np.savez_compressed(truth, **arrays)
    return paths


def check_sample(seconds: float, size: int) -> None:
    """Refuse a length or a size that cannot be drawn.

    Raises:
        InputError: What is wrong with it.
    """
    if not _MIN_SIZE <= size <= _MAX_SIZE or size % 2:
        raise InputError(
            f"sample clip: size {size} is not an even number from {_MIN_SIZE} to {_MAX_SIZE}; "
            "choose for example 256"
        )
    if not 0.5 <= seconds <= 600:
        raise InputError(
            f"sample clip: {seconds} seconds asked for; choose a length from 0.5 to 600 seconds"
        )


def _pictures(scene: Scene, performance: Performance, frames: list[int]) -> Iterator[Picture]:
    """Pictures in order, drawn by two threads (numpy lets them run side by side)."""

    def draw(frame: int) -> Picture:
        return scene.render(
            performance.faces[frame],
            performance.head_to_camera[frame],
            performance.body_to_camera[frame],
        )

    with ThreadPoolExecutor(2) as pool:
        # A bounded number of frames waits, however long the clip is.
        for first in range(0, len(frames), 16):
            yield from pool.map(draw, frames[first : first + 16])


def truth_arrays(
    performance: Performance, scene: Scene, pictures: list[Picture]
) -> dict[str, npt.NDArray[Any]]:
    """The truth file's arrays, see :func:`write_sample`."""
    marks = np.stack([picture.landmarks for picture in pictures])
    faces = performance.faces
    return {
        "fps": np.asarray(float(FPS)),
        "focal": np.asarray(scene.focal),
        "landmarks": marks,
        "blendshapes": blendshapes(performance),
        "camera_to_head": np.linalg.inv(performance.head_to_camera),
        "camera_to_body": np.linalg.inv(performance.body_to_camera),
        "labels": np.stack([picture.labels for picture in pictures]),
        "head_alpha": np.stack([picture.head_alpha for picture in pictures]),
        "background": scene.background,
        "jaw": np.array([face.jaw for face in faces]),
        "lip_gap": lip_gap(marks),
        "blink": np.array([face.blink for face in faces]),
        "phones": np.array(performance.vowels),
    }


def blendshapes(performance: Performance) -> npt.NDArray[np.float32]:
    """(F, 52) scores in MediaPipe's order for what the face rig knows; the rest is 0.

    Known are brows (1-5), lids (9, 10), gaze (11-18), the jaw (25), pursing (38) and smiling (44,
    45). In the names of the gaze left and right are the person's, so a gaze to the image's right
    is out for the left eye and in for the right one.
    """
    scores = np.zeros((len(performance), 52), np.float32)
    for row, face in zip(scores, performance.faces, strict=True):
        row[[1, 2]] = max(-face.brow, 0)
        row[[3, 4, 5]] = max(face.brow, 0)
        row[[9, 10]] = face.blink
        right, up = np.clip(np.array(face.gaze) / _FULL_GAZE, -1, 1)
        row[[11, 12]], row[[17, 18]] = max(-up, 0), max(up, 0)
        row[[13, 16]], row[[14, 15]] = max(-right, 0), max(right, 0)
        row[25] = min(0.7 * face.jaw, 1)
        row[38] = face.protrusion * max(-face.width, 0)
        row[[44, 45]] = 0.5 * max(face.width, 0)
    return scores


def _write_clip(
    path: Path, pictures: Any, size: int, sound: npt.NDArray[np.float32]
) -> list[Picture]:
    """Encodes the pictures as they come, then the sound; returns them without their colours."""
    import av

    kept = []
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width = video.height = size
        video.pix_fmt = "yuv420p"
        video.options = {"crf": "10", "preset": "veryfast"}
        # One thread: the bytes must not depend on the number of cores.
        video.codec_context.thread_count = 1
        voice = container.add_stream("aac", rate=RATE, layout="mono")
        voice.bit_rate = 96000
        for picture in pictures:
            image = av.VideoFrame.from_ndarray(picture.rgb, format="rgb24")
            container.mux(video.encode(image))
            kept.append(Picture(picture.rgb[:0], *_without_colour(picture)))
        container.mux(video.encode())
        for first in range(0, len(sound), 1024):
            block = av.AudioFrame.from_ndarray(sound[None, first : first + 1024], "fltp", "mono")
            block.sample_rate, block.pts = RATE, first
            block.time_base = Fraction(1, RATE)
            container.mux(voice.encode(block))
        container.mux(voice.encode())
    return kept


def _without_colour(picture: Picture) -> tuple[Any, Any, Any]:
    return picture.labels, picture.head_alpha, picture.landmarks
