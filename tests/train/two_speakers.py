"""Datasets without pictures: people whose lips follow the same hidden function of their speech."""

import dataclasses

import numpy as np
import torch

from nerf_talker.data.dataset import TRACK_KEYS
from nerf_talker.data.manifest import CameraModel, CropTransform, Manifest, write_manifest
from nerf_talker.field.audio_encoder import WINDOW, AudioEncoder, AudioEncoderConfig
from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode, MouthCodeConfig
from nerf_talker.train.kernel_fit import Rows

FEATURES = 6
CODES = 3


def speech(frames, seed, rate=2):
    """(rate * frames, 6) smooth rows, and (frames, 3) what the lips do with them."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(rate * frames + 8, FEATURES))
    rows = 3 * np.stack([np.convolve(column, np.ones(9) / 9, "valid") for column in noise.T], 1)
    now = rows[::rate]
    told = np.stack([np.tanh(2 * now[:, 0]), now[:, 1] * now[:, 2], np.tanh(now[:, 3] - 1)], 1)
    return rows, told + 0.1 * generator.normal(size=told.shape)


def face(told, size=1.0, seed=0):
    """(F, 478, 3) metres: a mouth of its own shape and size that moves as all mouths do."""
    shape = 0.03 * np.random.default_rng(100 + seed).normal(size=(478, 3))
    ways = np.random.default_rng(5).normal(size=(told.shape[1], 478, 3))
    ways *= np.asarray([3e-3, 2e-3, 1e-3])[:, None, None]
    moved = shape + np.einsum("fc,cpd->fpd", told, ways)
    return (size * moved + [0, 0.01 * seed, 0]).astype(np.float32)


def write_person(root, frames=600, seed=1, told=None, **sound):
    """Write a dataset as far as a motion prior reads it; ``told`` takes the hidden one's place."""
    root.mkdir(parents=True)
    rows, lips = speech(frames, seed)
    arrays = dict.fromkeys(TRACK_KEYS, np.zeros((frames, 1), np.float32))
    arrays["canonical_landmarks"] = face(lips if told is None else told, 1 + 0.1 * seed, seed)
    arrays["valid"] = np.ones(frames, bool)
    np.savez(root / "track.npz", **arrays)
    # Each voice has a level and a range of its own.
    values = (rows * (1 + 0.5 * seed) - seed).astype(np.float32)
    given = {"values": values, "rate": 50.0, "extractor": "test", "offset": 0.0}
    np.savez(root / "audio_features.npz", **given | sound)
    write_manifest(root, manifest(root.name, frames))
    return root


def manifest(subject, frames):
    return Manifest(
        subject=subject,
        source="clip.mp4",
        frames=frames,
        fps=25,
        size=64,
        camera=CameraModel(focal=128, centre=(32, 32), height=64, width=64),
        crop=CropTransform(left=0, top=0, side=64, source_width=64, source_height=64),
        splits={"train": (0, frames - 20), "val": (frames - 20, frames - 10), "test": (0, 0)},
        extractor="test",
    )


@dataclasses.dataclass
class Target:
    """A person's mouth code, an encoder to fit, training rows and rows never heard before."""

    mouth: MouthCode
    encoder: AudioEncoder
    own: Rows
    new: Rows

    @property
    def importance(self):
        return self.mouth.scale / self.mouth.scale.sum()

    def error(self):
        """Of unheard frames."""
        found = self.encoder.predict(self.new.windows)
        return float(((found - self.new.codes).square() @ self.importance).mean())


def target(frames, memory=400, new=300):
    """The person with seed 0, of whom ``frames`` frames are known."""
    rows, told = speech(frames + new, 0)
    points = face(told)[:, list(MOUTH_POINTS)]
    mouth = MouthCode(MouthCodeConfig(components=CODES))
    mouth.fit(points[:frames], np.ones(frames, bool))
    encoder = AudioEncoder(AudioEncoderConfig(memory=memory), FEATURES, CODES)
    encoder.fit_normalisation(rows[: 2 * frames].astype(np.float32))
    padded = np.pad(rows, ((WINDOW // 2, WINDOW), (0, 0)))
    windows = np.stack([padded[2 * f : 2 * f + WINDOW] for f in range(frames + new)])
    heard = encoder.normalise(torch.from_numpy(windows.astype(np.float32)))
    codes = mouth(torch.from_numpy(points))
    return Target(
        mouth, encoder, Rows(heard[:frames], codes[:frames]), Rows(heard[frames:], codes[frames:])
    )
