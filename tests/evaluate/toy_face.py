import wave
from contextlib import nullcontext

import numpy as np

from nerf_talker.data.dataset import Dataset
from nerf_talker.data.labels import Label
from nerf_talker.data.manifest import CameraModel, CropTransform, Manifest, contiguous_splits
from nerf_talker.evaluate.crop_reader import STEADY_POINTS
from nerf_talker.evaluate.readers import Reading
from nerf_talker.geometry.mesh import INNER_LIPS, LIPS
from nerf_talker.types import (
    TORSO_GRID,
    TORSO_MODES,
    AudioFeatures,
    FrameTrack,
    PortraitFrame,
)

SIZE, FPS, RATE = 64, 25.0, 16000


def gap_signal(frames, seed=0):
    """A lip gap that never repeats: smooth noise, 0 to about 0.25."""
    noise = np.random.default_rng(seed).normal(size=frames + 8)
    smooth = np.convolve(noise, np.hanning(7) / np.hanning(7).sum(), "valid")[:frames]
    return 0.1 + 0.08 * np.tanh(smooth * 1.5)


def landmarks_of(gaps, size=SIZE, shift=(0.0, 0.0)):
    """(F, 478, 3) a round face whose lips open by ``gaps``; eyes are 0.36 size apart."""
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, 478)
    radius = rng.uniform(0, 0.36, 478)
    face = np.stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)], 1)
    eyes = {33: (0.32, 0.4), 263: (0.68, 0.4), 133: (0.44, 0.4), 362: (0.56, 0.4)}
    ridge = {168: (0.5, 0.41), 6: (0.5, 0.45), 197: (0.5, 0.49), 195: (0.5, 0.53), 5: (0.5, 0.57)}
    assert set(eyes) | set(ridge) == set(STEADY_POINTS)
    points = np.repeat(face[None], len(gaps), 0)
    turn = np.linspace(0, 2 * np.pi, len(LIPS), endpoint=False)
    points[:, LIPS, 0] = 0.5 + 0.13 * np.cos(turn)
    points[:, LIPS, 1] = 0.7 + (0.05 + 0.18 * gaps[:, None]) * np.sin(turn)
    for index, place in {**eyes, **ridge}.items():
        points[:, index] = place
    points[:, INNER_LIPS[0]] = np.stack([np.full(len(gaps), 0.5), 0.7 - 0.18 * gaps], 1)
    points[:, INNER_LIPS[1]] = np.stack([np.full(len(gaps), 0.5), 0.7 + 0.18 * gaps], 1)
    points = points * size + np.asarray(shift)
    return np.concatenate([points, np.zeros((*points.shape[:2], 1))], 2).astype(np.float32)


def draw(gap, size=SIZE):
    """A face of two tones on a grey wall with a dark mouth as high as the gap."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    picture = np.repeat((90 + 40 * x)[..., None], 3, 2)
    head = np.hypot(x - 0.5, y - 0.52) < 0.38
    picture[head] = (200, 150 + 0, 120)
    picture[(np.abs(y - 0.4) < 0.03) & (np.abs(np.abs(x - 0.5) - 0.12) < 0.06)] = (40, 40, 60)
    mouth = ((x - 0.5) / 0.11) ** 2 + ((y - 0.7) / (0.18 * gap + 0.004)) ** 2
    soft = np.clip(1.5 - mouth, 0, 1)[..., None]
    return np.round(picture * (1 - soft) + soft * np.array([60, 10, 10])).astype(np.uint8), head


def write_speech(path, gaps, seconds_late=0.0):
    """Noise as loud as the mouth is open, ``seconds_late`` after it."""
    count = int(len(gaps) / FPS * RATE)
    at = np.arange(count) / RATE - seconds_late
    loudness = np.interp(at * FPS, np.arange(len(gaps)) + 0.5, gaps) * 3
    noise = np.random.default_rng(3).normal(size=count) * 0.2
    samples = np.clip(loudness**2 * noise, -1, 1) * 32767
    with wave.open(str(path), "wb") as stream:
        stream.setparams((1, 2, RATE, 0, "NONE", ""))
        stream.writeframes(samples.astype("<i2").tobytes())


def features_of(gaps):
    """Two rows of speech features per frame: mixtures of the lip gap and of noise."""
    rng = np.random.default_rng(7)
    time = (np.arange(2 * len(gaps)) + 0.5) / 2 - 0.5
    heard = np.interp(time, np.arange(len(gaps)), gaps)
    values = np.outer(heard, rng.normal(size=6)) + 0.01 * rng.normal(size=(len(time), 6))
    return AudioFeatures(values.astype(np.float32), 2 * FPS, "logmel40", 0.25 / FPS)


def portraits(dataset, frames, late=0, noise=0.0):
    """A talker that knows the truth, ``late`` frames behind, with its head as a layer."""
    rng = np.random.default_rng(5)
    for frame in frames:
        source = min(max(frame - late, 0), dataset.manifest.frames - 1)
        rgb = dataset.frames[source] / np.float32(255)
        rgb = np.clip(rgb + rng.normal(size=rgb.shape) * noise, 0, 1).astype(np.float32)
        opacity = dataset.head_mask(frame).astype(np.float32)
        yield PortraitFrame(rgb, rgb * opacity[..., None], opacity)


class FakeReader:
    """Landmarks from the track, so that LMD and jitter are exercised without MediaPipe."""

    name, missing_landmarks = "mediapipe", None

    def __init__(self, dataset, blind=()):
        self.dataset, self.blind = dataset, blind

    def video(self):
        return nullcontext(self)

    def read(self, picture, frame):
        if frame in self.blind:
            return None
        points = self.dataset.track.landmarks[frame, :, :2]
        return Reading(float(picture[::2].mean()), points)


def toy_dataset(root):
    """132 drawn frames with their sound in the folder ``root``."""
    gaps = gap_signal(132)
    drawn = [draw(gap) for gap in gaps]
    frames = np.stack([picture for picture, _ in drawn])
    labels = np.where(drawn[0][1], Label.FACE, Label.BACKGROUND).astype(np.uint8)
    count = len(gaps)
    camera = CameraModel(focal=100.0, centre=(32.0, 32.0), height=SIZE, width=SIZE)
    manifest = Manifest(
        subject="toy",
        source="drawn",
        frames=count,
        fps=FPS,
        size=SIZE,
        camera=camera,
        crop=CropTransform(left=0, top=0, side=SIZE, source_width=SIZE, source_height=SIZE),
        splits=contiguous_splits(count),
        extractor="logmel40",
        preprocess_seconds=3.0,
    )
    points = landmarks_of(gaps)
    write_speech(root / "audio.wav", gaps)
    pose = np.repeat(np.eye(4, dtype=np.float32)[None], count, 0)
    track = FrameTrack(
        camera.camera(),
        pose,
        points,
        points / 1000,
        np.zeros((count, 52), np.float32),
        np.ones(count, bool),
        FPS,
    )
    return Dataset(
        root,
        manifest,
        track,
        points[0] / 1000,
        np.zeros((count, 6), np.float32),
        features_of(gaps),
        frames,
        np.repeat(labels[None], count, 0),
        np.repeat((labels * 85)[None], count, 0),
        frames[0],
        np.zeros((SIZE, SIZE, 4), np.uint8),
        None,
        np.zeros((TORSO_MODES, TORSO_GRID, TORSO_GRID, 2), np.float32),
        np.zeros((count, TORSO_MODES), np.float32),
    )
