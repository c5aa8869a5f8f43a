"""The motion prior: what other people's clips tell about how mouths move with speech.

A few seconds of one person are too little to learn that from. Frames of others join the fit of the
audio encoder: their sound in deviations of their own voice, their lips carried over to this face,
each counting less than an own frame. How much less, folds of the person's own training range
decide; others that do not help there have weight zero, and the fit is the one without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nerf_talker.data.dataset import Dataset, read_audio_features, read_track
from nerf_talker.data.manifest import DatasetFiles, Manifest, read_manifest
from nerf_talker.errors import ConfigError, TrainingError
from nerf_talker.field.audio_encoder import (
    WINDOW,
    AudioEncoder,
    speaker_statistics,
    standardised,
)
from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode
from nerf_talker.train.kernel_fit import Rows, fit_kernel, folds
from nerf_talker.train.preparation import features_of
from nerf_talker.types import AudioFeatures, FrameTrack

WEIGHTS = (0.01, 0.1, 1.0)
"""What a frame of others may count of an own one."""

# Standard errors by which the error of held-out frames must fall. None lets chance choose among the
# weights; a whole one refuses most priors that do help a clip of ten seconds.
CLEARLY = 0.5
# Deviations of the target below which another's component is not brought up to the target's.
LEAST_SPREAD = 0.3


@dataclass(frozen=True)
class Other:
    """What is read of another person's dataset: no pictures."""

    root: Path
    manifest: Manifest
    track: FrameTrack
    audio: AudioFeatures

    @property
    def frames(self) -> list[int]:
        """Valid training frames, so that nobody's test range is ever learned from."""
        train = self.manifest.range("train")
        return [frame for frame in train if self.track.valid[frame]]


@dataclass(frozen=True)
class PriorChoice:
    """What folds of the training range said of a motion prior.

    Attributes:
        weight: What a frame of others counts of an own one; zero where they do not help.
        without: Mean square of standardised codes of held-out frames without others, weighted by
            how far they move the lips.
        best: The same with others at the best of the weights above zero.
    """

    weight: float
    without: float
    best: float

    def notes(self) -> dict[str, float]:
        """For the metrics and the avatar."""
        return {
            "prior_weight": self.weight,
            "fold_error_without_prior": self.without,
            "fold_error_with_prior": self.best,
        }

    def __str__(self) -> str:
        """For a person who waits."""
        said = f"error on held-out frames {self.best:.3f} with it, {self.without:.3f} without"
        if self.weight:
            return f"motion prior: weight {self.weight:g}; {said}"
        return f"motion prior: not used, it is no clear help; {said}"


def open_prior(folders: Sequence[str], dataset: Dataset) -> tuple[Other, ...]:
    """Open the datasets of a motion prior for training on ``dataset``.

    Raises:
        DatasetError: A folder is no dataset, or a file of it is missing or damaged.
        TrainingError: One has no sound or no frame with a face.
        ConfigError: One has other speech features, or is the same clip as another.
    """
    seen = {"the dataset that is trained on": dataset.audio}
    others = []
    for folder in folders:
        other = _open(Path(folder))
        _check_features(other, dataset)
        for name, audio in seen.items():
            if np.array_equal(audio.values, other.audio.values):
                raise ConfigError(
                    f"{folder}: holds the same sound as {name}; name other clips with "
                    "--motion-prior, each once"
                )
        seen[folder] = other.audio
        others.append(other)
    return tuple(others)


def _open(root: Path) -> Other:
    manifest, track = read_manifest(root), read_track(root)
    other = Other(root, manifest, track, read_audio_features(DatasetFiles(root).audio_features))
    if not len(features_of(other.audio, manifest.range("train"), track.fps)):
        raise TrainingError(
            f"{root}: has no sound to learn speech from; leave it out of --motion-prior"
        )
    if not other.frames:
        raise TrainingError(
            f"{root}: no training frame shows a face; leave it out of --motion-prior"
        )
    return other


def _check_features(other: Other, dataset: Dataset) -> None:
    kinds = [(a.extractor, a.rate, a.values.shape[1]) for a in (other.audio, dataset.audio)]
    if kinds[0] != kinds[1]:
        theirs, ours = (f"'{name}' ({rate:g} Hz, {width} wide)" for name, rate, width in kinds)
        raise ConfigError(
            f"{other.root}: has the speech features {theirs}, and {dataset.root} has {ours}; "
            "preprocess both with the same --audio-features and the same version"
        )


@torch.no_grad()
def lent_rows(other: Other, mouth: MouthCode) -> Rows:
    """Another person's windows, and the codes that their lips would have in this mouth."""
    frames, fps = np.asarray(other.frames), other.track.fps
    heard = features_of(other.audio, other.manifest.range("train"), fps)
    windows = torch.from_numpy(other.audio.windows(frames / fps, WINDOW))
    points = torch.from_numpy(other.track.canonical_landmarks[frames][:, list(MOUTH_POINTS)])
    return Rows(standardised(windows, *speaker_statistics(heard)), carried(mouth, points))


def carried(mouth: MouthCode, landmarks: Tensor) -> Tensor:
    """(N, C) codes in a mouth of another's (N, K, 3) landmarks, metres in canonical head space.

    Motion about the other's mean mouth, brought to this mouth's size and spread: the components
    keep their directions in space, not how far this or that person opens the lips.
    """
    mean = landmarks.mean(0)
    size = (mean - mean.mean(0)).norm()
    own = mouth.mean.reshape(-1, 3)
    motion = (landmarks - mean) * ((own - own.mean(0)).norm() / size.clamp_min(1e-6))
    code = motion.flatten(1) @ mouth.basis.T / mouth.scale
    return mouth.limited(code / code.std(0, unbiased=False).clamp_min(LEAST_SPREAD))


@torch.no_grad()
def fit_with_prior(
    encoder: AudioEncoder, own: Rows, others: Sequence[Rows], importance: Tensor
) -> tuple[Tensor, PriorChoice]:
    """Fit an encoder to own frames and to those of others as far as they help.

    They help where the error of held-out frames falls by more than :data:`CLEARLY` standard errors
    over the folds, after the rule of Breiman et al. (1984).

    Args:
        encoder: Its memory, weights and bias are set.
        own: The target's training frames.
        others: At least one other person's.
        importance: (C,) of each component in the error; sums to one.

    Returns:
        (N, C) held-out codes as of :func:`fit_kernel`, and the choice.
    """

    def errors(held_out: Tensor) -> Tensor:
        each = (held_out - own.codes).square() @ importance
        return torch.stack([each[fold].mean() for fold in folds(len(each))])

    def fitted(weight: float) -> tuple[Tensor, dict[str, Tensor]]:
        lent = others if weight else ()
        held_out = fit_kernel(encoder, own.windows, own.codes, lent, weight)
        return held_out, {name: value.clone() for name, value in encoder.state_dict().items()}

    alone = fitted(0.0)
    tried = {weight: fitted(weight) for weight in WEIGHTS}
    best = min(tried, key=lambda weight: float(errors(tried[weight][0]).mean()))
    without, joined = errors(alone[0]), errors(tried[best][0])
    saved = without - joined
    doubt = float(saved.std()) / len(saved) ** 0.5 if len(saved) > 1 else 0.0
    weight = best if float(saved.mean()) > CLEARLY * doubt else 0.0
    held_out, state = tried[weight] if weight else alone
    encoder.load_state_dict(state)
    return held_out, PriorChoice(weight, float(without.mean()), float(joined.mean()))
