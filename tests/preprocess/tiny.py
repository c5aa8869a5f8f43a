"""A tiny clip of a moving painted head with a tone, and its landmarks and masks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import Poses, project
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.types import Camera
from tests.geometry.heads import head_motion, head_shape

SIZE = 96
FRAMES = 60


@dataclass(frozen=True)
class TinyClip:
    clip: Path
    landmarks: Path
    masks: Path


def options(tiny, **changes):
    """Preprocessing of a tiny clip from its own landmarks and masks."""
    chosen = {"size": 64, "landmarks": tiny.landmarks, "masks": tiny.masks, "quiet": True}
    return PreprocessOptions(**{**chosen, **changes})


def write_tiny(folder, frames=FRAMES, sound=True, width=SIZE, times=None):
    """Write tiny.mp4, landmarks.npz and masks.npz; ``times`` makes the frame rate variable."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    camera = Camera(2.0 * SIZE, (width / 2, SIZE / 2), SIZE, width)
    motion = head_motion(frames)
    poses = Poses(motion.rotation, motion.translation + np.array([0.0, 0.0, 0.1]))
    points = project(camera, poses.in_camera(head_shape()))
    noise = np.random.default_rng(0).integers(0, 60, (SIZE, width, 3), np.uint8)
    pictures, labels = [], []
    for shown in points:
        oval = [np.round(shown[list(mesh.FACE_OVAL)]).astype(np.int32)]
        picture, classes = 120 + noise, np.zeros((SIZE, width), np.uint8)
        cv2.rectangle(picture, (20, 70), (width - 20, SIZE), (30, 60, 160), -1)
        cv2.rectangle(classes, (20, 70), (width - 20, SIZE), 1, -1)
        cv2.fillPoly(picture, oval, (220, 170, 140))
        cv2.fillPoly(classes, oval, 3)
        for x, y in np.round(shown[list(mesh.RIGID[:30])]).astype(int):
            cv2.circle(picture, (int(x), int(y)), 1, (90, 50, 40), -1)
        pictures.append(picture)
        labels.append(classes)
    write_video(folder / "tiny.mp4", pictures, sound, times)
    np.savez(folder / "landmarks.npz", landmarks=points.astype(np.float32))
    np.savez(folder / "masks.npz", labels=labels, head_alpha=np.array(labels, np.uint8) // 3 * 255)
    return TinyClip(folder / "tiny.mp4", folder / "landmarks.npz", folder / "masks.npz")


def write_video(path, pictures, sound=True, times=None):
    """H.264 at 25 fps, or with one time in seconds per picture; a 300 Hz tone if ``sound``."""
    from fractions import Fraction

    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt, video.options = "yuv420p", {"preset": "ultrafast", "crf": "12"}
        video.codec_context.time_base = Fraction(1, 1000)
        speech = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            second = index / 25 if times is None else times[index]
            frame.pts, frame.time_base = round(second * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if speech is not None:
            seconds = len(pictures) / 25 if times is None else times[-1]
            wave = 0.4 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * 16000)) / 16000)
            for start in range(0, len(wave) - 1023, 1024):
                part = wave[None, start : start + 1024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 16000, start
                container.mux(speech.encode(frame))
            container.mux(speech.encode(None))
