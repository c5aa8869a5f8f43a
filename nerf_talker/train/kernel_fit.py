"""Fitting the audio encoder in closed form: ridge regression on likeness, judged by folds."""

from __future__ import annotations

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


@torch.no_grad()
def fit_kernel(encoder: AudioEncoder, windows: Tensor, codes: Tensor) -> Tensor:
    """Fit an encoder's regression; every component has the penalty that serves it best.

    Where there are more frames than the encoder remembers, evenly spaced ones stand for all
    (Nystroem's method, Williams and Seeger 2001), but all frames are learned from.

    Args:
        encoder: Its memory, weights and bias are set.
        windows: (N, 30, D) normalised windows, in the order of time.
        codes: (N, C) mouth codes.

    Returns:
        (N, C) codes of each frame as predicted from the frames far from it, before any gain.
    """
    remembered = _remember(encoder, windows)
    values, vectors = torch.linalg.eigh(encoder.likeness(remembered)[:, : len(remembered)].double())
    kept = values > LEAST_SHARE * values[-1]
    # Coordinates in which the remembered frames' likeness is an inner product.
    whiten = vectors[:, kept] / values[kept].sqrt()
    likeness = encoder.likeness(encoder.described(windows))[:, : len(remembered)].double()
    inputs, targets = likeness @ whiten, codes.double()
    held_out, best = _folded(inputs, targets)
    weights, bias = _ridge(inputs, targets)
    columns = torch.arange(codes.shape[1])
    encoder.weights[: len(remembered)] = (whiten @ weights[best, :, columns].T).float()
    encoder.bias.copy_(bias[best, columns])
    return held_out.float()


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


def _folded(inputs: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions of contiguous folds from the others, and the best penalty of each component.

    Contiguous, since neighbouring frames tell each other's code.
    """
    frames = torch.arange(len(inputs))
    held = torch.zeros(len(PENALTIES), *codes.shape, dtype=codes.dtype)
    for fold in frames.tensor_split(min(FOLDS, len(frames))):
        far = frames[(frames < fold[0] - APART) | (frames > fold[-1] + APART)]
        # A clip too short to hold anything out has its mean held out.
        weights, bias = _ridge(inputs[far], codes[far]) if len(far) else _ridge(inputs, codes * 0)
        held[:, fold] = inputs[fold] @ weights + bias[:, None]
    best = (held - codes).square().mean(1).argmin(0)
    return held[best, :, torch.arange(codes.shape[1])].T, best


def _ridge(inputs: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """(penalties, inputs, C) weights and (penalties, C) bias, every penalty at once."""
    mean, middle = inputs.mean(0), codes.mean(0)
    centred = inputs - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred)
    told = vectors.T @ (centred.T @ (codes - middle))
    penalties = torch.tensor(PENALTIES, dtype=inputs.dtype)[:, None, None]
    weights = vectors @ (told / (values.clamp_min(0)[:, None] + penalties))
    return weights, middle - mean @ weights
