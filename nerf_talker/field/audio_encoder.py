"""From a window of speech features to the mouth code.

A minute of one person's speech is too little for a network to learn from without chance deciding
much of it. Kernel regression (Saunders et al. 1998) has no chance in it: a frame's code is a
weighted sum over remembered frames of the training clip, by how alike they sound. It is found in
closed form, and how well it does on sound that it has not heard is known exactly, fold by fold.
Sound unlike anything remembered gives the mean mouth, so strange voices cannot distort the face.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from nerf_talker.config import StrictModel
from nerf_talker.types import FloatArray

WINDOW = 30  # rows at 50 Hz, 0.3 s either side of the frame
TAPS = slice(5, 26, 2)  # the rows looked at: every second of those within 0.2 s
TAP_COUNT = len(range(*TAPS.indices(WINDOW)))
REACH = 4.0  # rows: sound 0.08 s away counts 0.6 as much as the frame's own
SHAPES = 64  # directions of a row that are kept
DIRECTIONS = 192  # directions of a window that are kept
LIMIT = 4.0  # standard deviations a feature is held to


class AudioEncoderConfig(StrictModel):
    """``memory``: frames remembered; their windows are most of the encoder's size.

    A mouth code that is learned with the head remembers none.
    """

    memory: int = Field(default=1500, gt=0)


def speaker_statistics(features: FloatArray) -> tuple[Tensor, Tensor]:
    """(D,) mean and (D,) deviation of (A, D) features of one speaker."""
    values = torch.from_numpy(features)
    return values.mean(0), values.std(0, unbiased=False).clamp_min(1e-3)


def standardised(windows: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """(T, 30, D) windows in deviations from a speaker's mean, held to +-4 of them."""
    return ((windows - mean) / scale).clamp(-LIMIT, LIMIT)


class Listener(nn.Module):
    """What hears speech features in deviations from the mean of the training speaker."""

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        """A listener of D ``features``, who knows no speaker yet."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    @torch.no_grad()
    def fit_normalisation(self, features: FloatArray) -> None:
        """Store mean and deviation of (A, D) features of the training speaker."""
        mean, scale = speaker_statistics(features)
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def normalise(self, windows: Tensor) -> Tensor:
        """Standardised to the training speaker and held to +-4 deviations."""
        return standardised(windows, self.mean, self.scale)


class AudioEncoder(Listener):
    """(T, 30, D) feature windows to (T, C) mouth codes."""

    gain: Tensor
    closed: Tensor
    level: Tensor
    rows: Tensor
    centre: Tensor
    basis: Tensor
    width: Tensor
    memory: Tensor
    weights: Tensor
    bias: Tensor

    def __init__(self, config: AudioEncoderConfig, features: int, codes: int) -> None:
        """An encoder that says the mean mouth to everything until it is fitted.

        Args:
            config: Its size.
            features: D, width of the speech features.
            codes: C, components of the mouth code.
        """
        super().__init__(features)
        shapes = min(SHAPES, features)
        directions = min(DIRECTIONS, TAP_COUNT * shapes)
        self.register_buffer("gain", torch.ones(codes))
        # The code of the identity's closed mouth, and the level of its speech in decibels of full
        # scale, infinite while unknown: what silence and other loudness are brought to.
        self.register_buffer("closed", torch.zeros(codes))
        self.register_buffer("level", torch.tensor(torch.inf))
        self.register_buffer("rows", torch.zeros(features, shapes))
        self.register_buffer("centre", torch.zeros(TAP_COUNT * shapes))
        self.register_buffer("basis", torch.zeros(TAP_COUNT * shapes, directions))
        self.register_buffer("width", torch.ones(()))
        self.register_buffer("memory", torch.zeros(config.memory, directions))
        self.register_buffer("weights", torch.zeros(config.memory, codes))
        self.register_buffer("bias", torch.zeros(codes))

    def forward(self, windows: Tensor) -> Tensor:
        """(T, C) mouth code of (T, 30, D) raw feature windows centred on each frame."""
        return self.predict(self.normalise(windows)) * self.gain

    def predict(self, normalised: Tensor) -> Tensor:
        """(T, C) code before the variance gain, from normalised windows."""
        # Differences of distances do not survive the few digits of half precision.
        with torch.autocast(normalised.device.type, enabled=False):
            return self.likeness(self.described(normalised.float())) @ self.weights + self.bias

    def tapped(self, normalised: Tensor) -> Tensor:
        """(T, taps * shapes) rows of the windows that are looked at, the near ones louder."""
        offsets = torch.arange(WINDOW, device=normalised.device)[TAPS] - WINDOW // 2
        near = torch.exp(-0.25 * (offsets / REACH) ** 2)
        return (normalised[:, TAPS] @ self.rows * near[:, None]).flatten(1)

    def described(self, normalised: Tensor) -> Tensor:
        """(T, directions) principal components of the windows."""
        return (self.tapped(normalised) - self.centre) @ self.basis

    def likeness(self, described: Tensor) -> Tensor:
        """(T, memory) in [0, 1], how much each window is like each that is remembered."""
        squares = described.square().sum(1)[:, None] + self.memory.square().sum(1)
        distance = (squares - 2 * described @ self.memory.T).clamp_min(0)
        return torch.exp(-distance / (2 * self.width**2))
