"""Fitting the audio encoder in closed form: ridge regression on likeness, judged by folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.field.audio_encoder import WINDOW, AudioEncoder

FOLDS = 6
# Frames left out beside a held-out fold: their windows share sound with it.
APART = WINDOW // 2
PENALTIES = tuple(10.0 ** (k / 4) for k in range(-6, 9))
# Square of the kernel's width in units of the median squared distance of two training frames.
WIDTH = 0.25
# Directions of the remembered frames' likeness below this share of the largest are rounding.
LEAST_SHARE = 1e-7
SAMPLED = 500  # frames whose distances to all tell the median
# Frames of other speakers that are remembered at most; more cost much time and tell no more.
LENT = 500


@dataclass(frozen=True)
class Rows:
    """(N, 30, D) normalised windows of one speaker, in the order of time, and (N, C) codes."""

    windows: Tensor
    codes: Tensor


@dataclass(frozen=True)
class Moments:
    """What a least-squares fit needs to know of rows, each about the mean of its own speaker.

    Attributes:
        scatter: (inputs, inputs) of the inputs with each other.
        told: (inputs, C) of the inputs with the codes.
    """

    scatter: Tensor
    told: Tensor

    @classmethod
    def of(cls, inputs: Tensor, codes: Tensor) -> Moments:
        """The moments of (N, inputs) and (N, C) of one speaker."""
        centred = inputs - inputs.mean(0)
        return cls(centred.T @ centred, centred.T @ (codes - codes.mean(0)))

    def plus(self, weight: float, others: Sequence[Moments]) -> Moments:
        """These and ``weight`` times those of others."""
        scatter, told = self.scatter, self.told
        for other in others:
            scatter, told = scatter + weight * other.scatter, told + weight * other.told
        return Moments(scatter, told)


@torch.no_grad()
def fit_kernel(
    encoder: AudioEncoder,
    windows: Tensor,
    codes: Tensor,
    others: Sequence[Rows] = (),
    weight: float = 0.0,
) -> Tensor:
    """Fit an encoder's regression; every component has the penalty that serves it best.

    Where there are more frames than the encoder remembers, evenly spaced ones stand for all
    (Nystroem's method, Williams and Seeger 2001), but all frames are learned from.

    Rows of other speakers are learned from too, each counting ``weight`` of an own one, about their
    own speaker's mean: they tell how mouths move with speech, never where this one rests. Up to
    500 are remembered where own frames leave room; all are learned from.

    Args:
        encoder: Its memory, weights and bias are set.
        windows: (N, 30, D) normalised windows, in the order of time.
        codes: (N, C) mouth codes.
        others: The same of other speakers.
        weight: Above zero where there are others.

    Returns:
        (N, C) codes of each frame as predicted from the frames far from it, before any gain.
    """
    room = min(len(encoder.memory) - len(windows), LENT)
    remembered = _remember(encoder, torch.cat([windows, *_spread(others, room)]))
    values, vectors = torch.linalg.eigh(encoder.likeness(remembered)[:, : len(remembered)].double())
    kept = values > LEAST_SHARE * values[-1]
    # Coordinates in which the remembered frames' likeness is an inner product.
    whiten = vectors[:, kept] / values[kept].sqrt()

    def placed(of: Tensor) -> Tensor:
        return encoder.likeness(encoder.described(of))[:, : len(remembered)].double() @ whiten

    inputs, targets = placed(windows), codes.double()
    lent = [Moments.of(placed(rows.windows), rows.codes.double()) for rows in others]
    held_out, best = _folded(inputs, targets, weight, lent)
    weights, bias = _ridge(inputs, targets, weight, lent)
    columns = torch.arange(codes.shape[1])
    encoder.weights[: len(remembered)] = (whiten @ weights[best, :, columns].T).float()
    encoder.bias.copy_(bias[best, columns])
    return held_out.float()


def folds(frames: int) -> tuple[Tensor, ...]:
    """Contiguous parts of a clip, since neighbouring frames tell each other's code."""
    return torch.arange(frames).tensor_split(min(FOLDS, frames))


def _spread(others: Sequence[Rows], room: int) -> list[Tensor]:
    """At most ``room`` windows, evenly spaced over all those of the others."""
    if room <= 0 or not others:
        return []
    windows = torch.cat([rows.windows for rows in others])
    return [windows[torch.linspace(0, len(windows) - 1, min(room, len(windows))).round().long()]]


def _remember(encoder: AudioEncoder, windows: Tensor) -> Tensor:
    """Set the directions, the remembered frames and the width of the kernel."""
    _keep_directions(encoder.rows, windows.flatten(0, 1)[:: WINDOW // 2])
    tapped = encoder.tapped(windows)
    encoder.centre.copy_(tapped.mean(0))
    _keep_directions(encoder.basis, tapped)
    described = encoder.described(windows)
    count = min(len(described), len(encoder.memory))
    remembered = described[torch.linspace(0, len(described) - 1, count).round().long()]
    encoder.memory.zero_()[:count] = remembered
    encoder.weights.zero_()
    apart = torch.cdist(described[:: max(len(described) // SAMPLED, 1)], described)
    encoder.width.copy_((WIDTH * apart.square().median()).sqrt().clamp_min(1e-3))
    return remembered


def _keep_directions(basis: Tensor, values: Tensor) -> None:
    """Principal components of (N, D) values into the columns of a (D, P) basis."""
    _, _, right = torch.linalg.svd(values - values.mean(0), full_matrices=False)
    count = min(basis.shape[1], len(right))
    basis.zero_()[:, :count] = right[:count].T


def _folded(
    inputs: Tensor, codes: Tensor, weight: float, lent: Sequence[Moments]
) -> tuple[Tensor, Tensor]:
    """Predictions of folds from the others, and the best penalty of each component."""
    frames = torch.arange(len(inputs))
    held = torch.zeros(len(PENALTIES), *codes.shape, dtype=codes.dtype)
    for fold in folds(len(inputs)):
        far = frames[(frames < fold[0] - APART) | (frames > fold[-1] + APART)]
        if len(far):
            weights, bias = _ridge(inputs[far], codes[far], weight, lent)
        else:  # a clip too short to hold anything out has its mean held out
            weights, bias = _ridge(inputs, codes * 0, 0.0, ())
        held[:, fold] = inputs[fold] @ weights + bias[:, None]
    best = (held - codes).square().mean(1).argmin(0)
    return held[best, :, torch.arange(codes.shape[1])].T, best


def _ridge(
    inputs: Tensor, codes: Tensor, weight: float, lent: Sequence[Moments]
) -> tuple[Tensor, Tensor]:
    """(penalties, inputs, C) weights and (penalties, C) bias, every penalty at once."""
    known = Moments.of(inputs, codes).plus(weight, lent)
    values, vectors = torch.linalg.eigh(known.scatter)
    told = vectors.T @ known.told
    penalties = torch.tensor(PENALTIES, dtype=inputs.dtype)[:, None, None]
    weights = vectors @ (told / (values.clamp_min(0)[:, None] + penalties))
    return weights, codes.mean(0) - inputs.mean(0) @ weights
