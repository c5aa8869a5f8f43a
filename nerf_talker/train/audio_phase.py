"""Phase: the audio encoder learns the clip's own mouth codes from its sound.

Seconds of work and no rendering, so the radiance field never blurs over what sound cannot tell. A
least-squares answer to uncertainty is a muted mouth; a gain per component, fitted on the validation
range, gives the motion its spread back.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from nerf_talker.data.dataset import Dataset
from nerf_talker.field.audio_encoder import AudioEncoder
from nerf_talker.render.talker import Talker
from nerf_talker.train.config import AudioPhaseConfig
from nerf_talker.train.driving import dataset_driving

LARGEST_GAIN = 2.0
LEAST_VAL_FRAMES = 8  # fewer say nothing about spread; the gain stays one
LEAST_CORRELATION = 0.3  # below it no gain, from twice as much on the whole gain


@dataclass(frozen=True)
class Pairs:
    """(T, 30, D) normalised windows, (T, C) mouth codes, (T,) which frames were really seen."""

    windows: Tensor
    codes: Tensor
    valid: Tensor


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


def fit_audio(
    talker: Talker,
    dataset: Dataset,
    config: AudioPhaseConfig,
    generator: torch.Generator,
    quiet: bool,
) -> dict[str, float]:
    """Fit the encoder on the training range; the validation range sets the gain.

    Returns:
        ``val_correlation`` of the first component and ``val_error`` (mean square of standardised
        codes, weighted by how far they move the lips).
    """
    train = pairs(talker, dataset, dataset.manifest.range("train"))
    val = pairs(talker, dataset, dataset.manifest.range("val"))
    # Components count by how far they move the lips.
    weight = talker.mouth.scale / talker.mouth.scale.sum()
    encoder = talker.audio
    _fit_linear(encoder, train, config.ridge)
    _start_silent(encoder)
    optimiser = torch.optim.AdamW(
        [p for name, p in encoder.named_parameters() if not name.startswith("linear")],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    rows = train.valid.nonzero()[:, 0]
    encoder.train()
    for step in tqdm(range(config.steps), "audio", disable=quiet):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.05 ** (step / config.steps)
        picked = rows[torch.randint(len(rows), (config.batch,), generator=generator)]
        windows = train.windows[picked]
        # Loudness and spectral tilt differ between recordings; the lips do not.
        noise = torch.randn(len(picked), 1, windows.shape[2], generator=generator)
        shift = torch.randn(len(picked), 1, 1, generator=generator)
        windows = windows + 0.15 * noise + 0.3 * shift
        error = (encoder.predict(windows) - train.codes[picked]) ** 2 @ weight
        optimiser.zero_grad(set_to_none=True)
        error.mean().backward()
        optimiser.step()
    encoder.eval()
    if int(val.valid.sum()) < LEAST_VAL_FRAMES:
        return {}
    return {
        "val_error": _error(encoder, val, weight),
        "val_correlation": _fit_gain(encoder, val, config.spread),
    }


@torch.no_grad()
def _fit_linear(encoder: AudioEncoder, data: Pairs, ridge: float) -> None:
    """Ridge regression for the linear path; ``ridge`` is per training frame."""
    inputs = data.windows[data.valid].flatten(1).double()
    targets = data.codes[data.valid].double()
    mean, centre = inputs.mean(0), targets.mean(0)
    inputs = inputs - mean
    gram = inputs.T @ inputs + ridge * len(inputs) * torch.eye(inputs.shape[1]).double()
    weights = torch.linalg.solve(gram, inputs.T @ (targets - centre))
    encoder.linear.weight.copy_(weights.T)
    encoder.linear.bias.copy_(centre - mean @ weights)


@torch.no_grad()
def _start_silent(encoder: AudioEncoder) -> None:
    """The network starts by adding nothing to the linear path."""
    encoder.head.weight.zero_()
    encoder.head.bias.zero_()


@torch.no_grad()
def _error(encoder: AudioEncoder, data: Pairs, weight: Tensor) -> float:
    difference = encoder.predict(data.windows[data.valid]) - data.codes[data.valid]
    return float((difference**2 @ weight).mean())


@torch.no_grad()
def _fit_gain(encoder: AudioEncoder, data: Pairs, spread: float) -> float:
    """Bring each component towards ``spread`` of the truth's deviation; first correlation.

    Only as far as its correlation warrants: a component that sound does not tell stays quiet,
    since amplifying it adds motion that is wrong.
    """
    predicted = encoder.predict(data.windows[data.valid])
    truth = data.codes[data.valid]
    ratio = truth.std(0) / predicted.std(0).clamp_min(1e-3)
    wanted = (spread * ratio).clamp(1.0, LARGEST_GAIN)
    centred = (predicted - predicted.mean(0)) * (truth - truth.mean(0))
    correlation = centred.mean(0) / (predicted.std(0) * truth.std(0)).clamp_min(1e-6)
    trust = ((correlation - LEAST_CORRELATION) / LEAST_CORRELATION).clamp(0, 1)
    encoder.gain.copy_(1 + (wanted - 1) * trust)
    return float(correlation[0])
