"""Phase: the audio encoder learns the clip's own mouth codes from its sound.

Seconds of work and no rendering. A least-squares answer to uncertainty is a muted mouth; a gain per
component, from what the encoder says of training frames that it was not fitted to, gives the motion
its spread back. The same codes then move the mouth in a part of the head's training frames, as
sequence models are trained on their own answers beside the truth (after the idea of scheduled
sampling, Bengio et al. 2015).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import torch
from torch import Tensor

from nerf_talker.audio.quality import speech_level
from nerf_talker.audio.sound import RATE, read_sound
from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.field.audio_attention import JointEncoder
from nerf_talker.field.audio_encoder import AudioEncoder
from nerf_talker.field.closed_mouth import closed_code, inner_gap, narrowest
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.render.talker import Talker
from nerf_talker.threads import one_thread
from nerf_talker.train.config import AudioPhaseConfig
from nerf_talker.train.driving import dataset_driving
from nerf_talker.train.kernel_fit import Rows, fit_kernel
from nerf_talker.train.motion_prior import Other, fit_with_prior, lent_rows

LARGEST_GAIN = 2.0
LEAST_FRAMES = 8  # fewer say nothing about spread; the gain stays one
LEAST_CORRELATION = 0.3  # below it no gain, from twice as much on the whole gain

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pairs:
    """(T, 30, D) normalised windows, (T, C) mouth codes, (T,) which frames were really seen."""

    windows: Tensor
    codes: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Heard:
    """What an encoder says of the training range.

    Attributes:
        codes: (T, C) code of each frame, by an encoder that was not fitted to it; the mean mouth
            for frames that show no face, and in clips so short that no frame is far from them. None
            for an encoder that learns with the head.
        notes: How well they fit, by name.
    """

    codes: Tensor | None
    notes: dict[str, float]


def pairs(talker: Talker, dataset: Dataset, frames: range) -> Pairs:
    """Sound windows and the mouth codes of the same frames."""
    heard = dataset_driving(dataset, frames, "audio")
    seen = dataset_driving(dataset, frames, "landmarks")
    assert heard.audio is not None and seen.landmarks is not None
    with torch.no_grad():
        return Pairs(
            talker.audio.normalise(heard.audio),
            talker.mouth(seen.landmarks),
            torch.from_numpy(dataset.track.valid[frames.start : frames.stop]),
        )


@torch.no_grad()
@one_thread()  # what the head hears decides every loss, and a run resumes on other machines
def fit_audio(
    talker: Talker,
    dataset: Dataset,
    config: AudioPhaseConfig,
    prior: Sequence[Other] = (),
    say: Callable[[str], None] = _log.info,
) -> Heard:
    """Fit the encoder, its gain, the closed mouth and the speech level on the training range.

    Args:
        talker: Its statistics are fitted already.
        dataset: The target's.
        config: Of this phase.
        prior: Other people's clips to learn from beside the target's.
        say: Hears whether the prior helped.

    Returns:
        The codes of the training range with the gain, and as notes: ``fold_correlation`` of the
        first component within the training range, those of
        :class:`~nerf_talker.train.motion_prior.PriorChoice` where there is a prior, and, where the
        validation range has enough frames, ``val_correlation`` and ``val_error`` (mean square of
        standardised codes, weighted by how far they move the lips). No notes for an encoder that
        learns with the head, of which only the speech level is found here.
    """
    encoder = talker.audio
    encoder.level.fill_(_level(dataset))
    if isinstance(encoder, JointEncoder):
        return Heard(None, {})
    assert isinstance(encoder, AudioEncoder), "a former avatar's network is not trained again"
    train = pairs(talker, dataset, dataset.manifest.range("train"))
    truth = train.codes[train.valid]
    encoder.closed.copy_(closed_code(talker.mouth, truth))
    weight = talker.mouth.scale / talker.mouth.scale.sum()
    own, said = Rows(train.windows[train.valid], truth), {}
    if prior:
        lent = [lent_rows(other, talker.mouth) for other in prior]
        held_out, choice = fit_with_prior(encoder, own, lent, weight)
        say(str(choice))
        said = choice.notes()
    else:
        held_out = fit_kernel(encoder, own.windows, own.codes)
    if len(truth) >= LEAST_FRAMES:
        encoder.gain.copy_(gain(held_out, truth, config.spread))
    codes = torch.zeros_like(train.codes)
    codes[train.valid] = (held_out * encoder.gain).clamp(-talker.mouth.limit, talker.mouth.limit)
    said["fold_correlation"] = float(_correlations(held_out, truth)[0])
    val = pairs(talker, dataset, dataset.manifest.range("val"))
    if int(val.valid.sum()) < LEAST_FRAMES:
        return Heard(codes, said)
    predicted, truth = encoder.predict(val.windows[val.valid]), val.codes[val.valid]
    error = (predicted - truth).square() @ weight
    correlation = _correlations(predicted, truth)
    said |= {"val_error": float(error.mean()), "val_correlation": float(correlation[0])}
    return Heard(codes, said)


@torch.no_grad()
def close_mouth(talker: Talker, dataset: Dataset) -> None:
    """Tell an encoder that learned with the head what it says of closed lips.

    Its code is the mean over the training frames that the closed mouth of landmarks is taken from.
    """
    if not isinstance(talker.audio, JointEncoder):
        return
    train = np.asarray(dataset.manifest.range("train"))
    seen = train[dataset.track.valid[train]]
    landmarks = dataset.track.canonical_landmarks[seen][:, list(MOUTH_POINTS)]
    closed = seen[narrowest(inner_gap(torch.from_numpy(landmarks))).numpy()]
    heard = dataset_driving(dataset, closed.tolist(), "audio").to(talker.background.device)
    talker.audio.closed.copy_(talker.mouth_code(heard).mean(0))


def _level(dataset: Dataset) -> float:
    """Of the training range's speech in decibels of full scale; infinite without the sound."""
    path = DatasetFiles(dataset.root).sound
    if not path.is_file():
        return inf
    first, last = (round(k / dataset.track.fps * RATE) for k in dataset.manifest.splits["train"])
    return speech_level(read_sound(path)[first:last])


def _correlations(predicted: Tensor, truth: Tensor) -> Tensor:
    """(C,) correlation of each component."""
    shared = ((predicted - predicted.mean(0)) * (truth - truth.mean(0))).mean(0)
    spreads = predicted.std(0, unbiased=False) * truth.std(0, unbiased=False)
    return shared / spreads.clamp_min(1e-6)


def gain(predicted: Tensor, truth: Tensor, spread: float) -> Tensor:
    """(C,) what brings each component towards ``spread`` of the truth's deviation.

    Only as far as its correlation warrants: a component that sound does not tell stays quiet,
    since amplifying it adds motion that is wrong.

    Args:
        predicted: (N, C) codes of frames that the encoder was not fitted to.
        truth: (N, C) their true codes.
        spread: The wanted ratio of deviations.
    """
    correlation = _correlations(predicted, truth)
    ratio = truth.std(0) / predicted.std(0).clamp_min(1e-3)
    wanted = (spread * ratio).clamp(1.0, LARGEST_GAIN)
    trust = ((correlation - LEAST_CORRELATION) / LEAST_CORRELATION).clamp(0, 1)
    return 1 + (wanted - 1) * trust
