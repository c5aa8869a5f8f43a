"""The network of the ``articulation`` extractor: sound -> speech sounds and articulatory curves.

A causal convolutional network with a bounded look-ahead. No layer pads: a row depends on exactly
its own stretch of sound, so streaming and offline give the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nerf_talker.audio.phonetics import CLASS_NAMES, CURVES

RATE = 16000
HOP = 320
"""Samples between rows: 50 Hz."""

FILTERS = 64
WINDOW, SPECTRUM, HALF_HOP = 400, 512, HOP // 2
LOWEST, HIGHEST = 50.0, 7600.0
# Power of a filter below which sound counts as none: about the rounding of 16-bit samples.
POWER_FLOOR = 1e-9
# The level is told relative to the loudest of late, which falls by 5 dB a second, but never below
# -45 dB of full scale: a recording that quiet holds no speech.
FALL, LOWEST_PEAK = 0.1, -45.0
LEVEL_RANGE = 60.0

CHANNELS = 192
# (rows back, rows ahead, dilation) of each block.
BLOCKS = (*((2, 1, 1),) * 5, (3, 0, 2), (3, 0, 4), (3, 0, 8))
BACK = sum(back * dilation for back, _, dilation in BLOCKS)
AHEAD = sum(ahead * dilation for _, ahead, dilation in BLOCKS)
# A row's own two windows are centred a quarter of a hop before and after it.
LEFT_SAMPLES = BACK * HOP + HALF_HOP // 2 + WINDOW // 2
RIGHT_SAMPLES = AHEAD * HOP + HALF_HOP // 2 + WINDOW // 2
LOOK_AHEAD_SECONDS = RIGHT_SAMPLES / RATE


@dataclass(frozen=True)
class Articulation:
    """What is heard in A rows at 50 Hz.

    Attributes:
        logits: (..., A, K) of :data:`nerf_talker.audio.phonetics.CLASS_NAMES`.
        curves: (..., A, C) in [0, 1], of :data:`nerf_talker.audio.phonetics.CURVES`.
        level: (..., A) in [0, 1]: sound level, 1 at the loudest of late, 0 from 60 dB below.
        hidden: (..., A, 192) what all that is read from.
    """

    logits: Tensor
    curves: Tensor
    level: Tensor
    hidden: Tensor


def mel_filters() -> Tensor:
    """(257, 64) triangular filters, evenly spaced on O'Shaughnessy's mel scale."""

    def mel(hertz: np.ndarray | float) -> np.ndarray:
        return np.asarray(2595 * np.log10(1 + np.asarray(hertz) / 700))

    edges = np.linspace(mel(LOWEST), mel(HIGHEST), FILTERS + 2)
    bins = mel(np.linspace(0, RATE / 2, SPECTRUM // 2 + 1))[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return torch.from_numpy(np.clip(np.minimum(rise, fall), 0, None).astype(np.float32))


def spectra(samples: Tensor, filters: Tensor) -> Tensor:
    """Log power in mel filters around each row, two windows a row.

    Args:
        samples: (..., S) at 16 kHz; the first row's windows begin with the first sample.
        filters: :func:`mel_filters`.

    Returns:
        (..., rows, 2, 64) in decibels of full scale.
    """
    frames = samples.unfold(-1, WINDOW, HALF_HOP)
    rows = frames.shape[-2] // 2
    shape = (*frames.shape[:-2], rows, 2, WINDOW)
    frames = frames[..., : 2 * rows, :].reshape(shape)
    window = torch.hann_window(WINDOW, dtype=samples.dtype, device=samples.device)
    power = torch.fft.rfft(frames * window, SPECTRUM).abs().square() / WINDOW**2 * 16
    return 10 * torch.log10(power @ filters + POWER_FLOOR)


def relative_level(loudness: Tensor, peak: Tensor) -> tuple[Tensor, Tensor]:
    """Level relative to the loudest of late.

    Args:
        loudness: (..., A) decibels of full scale.
        peak: (...) loudest of late before the first row.

    Returns:
        (..., A) in [0, 1], and (...) the loudest of late after the last row.
    """
    fallen = FALL * torch.arange(1, loudness.shape[-1] + 1, device=loudness.device)
    risen = torch.cummax(loudness + fallen, -1).values
    loudest = torch.maximum(risen, peak[..., None]) - fallen
    loudest = loudest.clamp_min(LOWEST_PEAK)
    level = 1 + (loudness - loudest) / LEVEL_RANGE
    return level.clamp(0, 1), loudest[..., -1]


class _Block(nn.Module):
    """Residual: normalise, look around, mix."""

    def __init__(self, back: int, ahead: int, dilation: int) -> None:
        super().__init__()
        self.back, self.ahead = back * dilation, ahead * dilation
        self.norm = nn.LayerNorm(CHANNELS)
        self.around = nn.Conv1d(CHANNELS, CHANNELS, back + ahead + 1, dilation=dilation)
        self.mix = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, rows: Tensor) -> Tensor:
        """(B, A, C) -> (B, A - back - ahead, C)."""
        seen = self.around(self.norm(rows).transpose(1, 2)).transpose(1, 2)
        kept = rows[:, self.back : rows.shape[1] - self.ahead]
        return kept + self.mix(F.gelu(seen))


class ArticulationNet(nn.Module):
    """1.5 million weights."""

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(), persistent=False)
        self.first = nn.Linear(2 * FILTERS + 2, CHANNELS)
        self.blocks = nn.ModuleList(_Block(*shape) for shape in BLOCKS)
        self.norm = nn.LayerNorm(CHANNELS)
        self.sounds = nn.Linear(CHANNELS, len(CLASS_NAMES))
        self.curves = nn.Linear(CHANNELS, len(CURVES))

    def forward(self, samples: Tensor, peak: Tensor) -> tuple[Articulation, Tensor]:
        """Hear a stretch of sound.

        Args:
            samples: (B, S) in [-1, 1] at 16 kHz, with :data:`LEFT_SAMPLES` before the middle of
                the first row and :data:`RIGHT_SAMPLES` after that of the last.
            peak: (B,) the loudest of late, decibels of full scale, before the first sample.

        Returns:
            The rows, and (B,) the loudest of late after the first ``A`` rows of the input (the
            peak to give when the next call begins ``A`` rows later).
        """
        heard = spectra(samples, self.filters)
        loudness = heard.amax(-1)
        rows = heard.shape[1] - BACK - AHEAD
        level, _ = relative_level(loudness.amax(-1), peak)
        _, after = relative_level(loudness.amax(-1)[:, :rows], peak)
        shape = (heard - heard.mean(-1, keepdim=True)) / 20
        inputs = torch.cat([shape.flatten(2), level[..., None], loudness.diff(dim=-1) / 10], -1)
        found = self.first(inputs)
        for block in self.blocks:
            found = block(found)
        found = self.norm(found)
        own = level[:, BACK : BACK + rows]
        return Articulation(self.sounds(found), self.curves(found).sigmoid(), own, found), after
