"""The lip-sync expert: two small towers that place a mouth and the sound of its moment together.

A window of mouth pictures (or lip shapes, or mouth codes: any numbers per frame) and a window of
log-mel rows become unit vectors; their cosine says how well they fit. The idea is SyncNet's (Chung
and Zisserman, *Out of time*, 2016) with one person's statistics in place of a large corpus, and
negatives only from the same clip at other lags (:mod:`nerf_talker.losses.sync_learning`). It is no
SyncNet, and its figures are no LSE-C or LSE-D.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nerf_talker.config import StrictModel

LAGS = 15
"""Frames on either side over which lags are told apart, as in LSE-C and LSE-D."""


class SyncExpertConfig(StrictModel):
    """Sizes of the expert and how it is fitted.

    Attributes:
        mouth_frames: Video frames in a mouth window, odd.
        sound_rows: Rows of speech features in a sound window: 0.34 s at 50 Hz.
        components: Principal components kept of the mouth's numbers.
        hidden: Channels of the convolutions.
        embedding: Length of the unit vectors.
        dropout: Share of inputs and channels dropped while learning.
        temperature: Cosines are divided by it before the softmax over lags.
        steps: Steps of learning at 1500 training frames or more, fewer with less.
        blocks: Stretches of the clip per step.
        block_frames: Frames per stretch.
        learning_rate: At the start; it ends at a twentieth.
        weight_decay: Of AdamW.
        noise: Deviation of the noise on mouth and sound while learning, in their deviations.
        seed: Decides everything that is drawn.
    """

    mouth_frames: int = 5
    sound_rows: int = 17
    components: int = 24
    hidden: int = 64
    embedding: int = 32
    dropout: float = 0.3
    temperature: float = 0.1
    steps: int = 600
    blocks: int = 4
    block_frames: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 3e-2
    noise: float = 0.15
    seed: int = 0


class Tower(nn.Module):
    """(B, T, D) windows to (B, E) unit vectors: a linear path beside two convolutions."""

    def __init__(self, rows: int, features: int, config: SyncExpertConfig) -> None:
        super().__init__()
        width = config.hidden
        self.first = nn.Conv1d(features, width, 3, padding=1)
        self.second = nn.Conv1d(width, width, 3, padding=1)
        self.head = nn.Linear(width * rows, config.embedding)
        self.linear = nn.Linear(rows * features, config.embedding)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, windows: Tensor) -> Tensor:
        """The unit vectors."""
        hidden = self.drop(functional.gelu(self.first(windows.transpose(1, 2))))
        hidden = self.drop(functional.gelu(self.second(hidden)).flatten(1))
        linear = self.linear(self.drop(windows.flatten(1)))
        return functional.normalize(linear + self.head(hidden), dim=-1)


class SyncExpert(nn.Module):
    """Both towers with the statistics of what they were fitted on.

    Args:
        config: Sizes.
        mouth_numbers: P numbers that describe the mouth in one frame.
        sound_features: D numbers per row of speech features.
    """

    mouth_mean: Tensor
    mouth_basis: Tensor
    sound_mean: Tensor
    sound_scale: Tensor

    def __init__(self, config: SyncExpertConfig, mouth_numbers: int, sound_features: int) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mouth_mean", torch.zeros(mouth_numbers))
        self.register_buffer("mouth_basis", torch.zeros(config.components, mouth_numbers))
        self.register_buffer("sound_mean", torch.zeros(sound_features))
        self.register_buffer("sound_scale", torch.ones(sound_features))
        self.mouth_tower = Tower(config.mouth_frames, config.components, config)
        self.sound_tower = Tower(config.sound_rows, sound_features, config)

    def mouth_windows(self, mouths: Tensor) -> Tensor:
        """(T, M, K) standardised windows of (T, P) consecutive mouths; the ends are repeated."""
        code = (mouths - self.mouth_mean) @ self.mouth_basis.T
        reach = self.config.mouth_frames // 2
        steps = torch.arange(-reach, reach + 1, device=code.device)
        rows = torch.arange(len(code), device=code.device)[:, None] + steps
        return code[rows.clamp(0, len(code) - 1)]

    def sound_windows(self, sound: Tensor) -> Tensor:
        """(T, W, D) standardised windows of (T, W, D) speech features."""
        return (sound - self.sound_mean) / self.sound_scale

    def embed_mouths(self, mouths: Tensor) -> Tensor:
        """(T, E) unit vectors of (T, P) consecutive mouths."""
        return self.mouth_tower(self.mouth_windows(mouths))

    def embed_sound(self, sound: Tensor) -> Tensor:
        """(T, E) unit vectors of (T, W, D) speech feature windows."""
        return self.sound_tower(self.sound_windows(sound))

    def score(self, mouths: Tensor, sound: Tensor) -> Tensor:
        """How well each frame's mouth fits its sound; differentiable in both.

        Args:
            mouths: (T, P) mouths of consecutive frames.
            sound: (T, W, D) speech feature windows of the same frames.

        Returns:
            (T,) cosines.
        """
        return (self.embed_mouths(mouths) * self.embed_sound(sound)).sum(-1)


def lag_logits(mouths: Tensor, sound: Tensor, temperature: float) -> Tensor:
    """How well each mouth fits the sounds around it.

    Args:
        mouths: (B, T, E) unit vectors of consecutive frames.
        sound: (B, T + 2 * LAGS, E) unit vectors, beginning :data:`LAGS` frames earlier.
        temperature: Divides the cosines.

    Returns:
        (B, T, 2 * LAGS + 1); column :data:`LAGS` is the mouth's own moment.
    """
    around = sound.unfold(1, 2 * LAGS + 1, 1)
    return torch.einsum("bte,btel->btl", mouths, around) / temperature


def sync_loss(expert: SyncExpert, mouths: Tensor, sound: Tensor) -> Tensor:
    """InfoNCE over lags (van den Oord et al. 2018): the true moment against its neighbourhood.

    Distances to the right sound alone could be lowered by a mouth that fits everything a little;
    the neighbouring moments forbid it.

    Args:
        expert: A fitted expert; call ``expert.eval()`` and freeze it to train something else.
        mouths: (T, P) mouths of consecutive frames, T > 2 * LAGS.
        sound: (T, W, D) speech feature windows of the same frames.

    Returns:
        (T - 2 * LAGS,) loss of each frame that has a whole neighbourhood, in nats.
    """
    seen, heard = expert.embed_mouths(mouths)[None], expert.embed_sound(sound)[None]
    logits = lag_logits(seen[:, LAGS : len(mouths) - LAGS], heard, expert.config.temperature)[0]
    target = torch.full((len(logits),), LAGS, device=logits.device)
    return functional.cross_entropy(logits, target, reduction="none")
