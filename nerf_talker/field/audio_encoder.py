"""From a window of speech features to the mouth code.

The person-specific audio net of AD-NeRF (Guo et al. 2021) and its temporal attention: one
convolution stack looks at 16 feature rows (0.32 s) around each of 8 neighbouring video frames, and
an attention over the 8 mixes them, which steadies the lips without delaying them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nerf_talker.config import StrictModel
from nerf_talker.types import FloatArray

VIEW = 16  # feature rows: 0.32 s at 50 Hz, about one syllable either side of the frame
NEIGHBOURS = 8  # video frames the attention looks at
ROWS_PER_FRAME = 2  # 50 Hz features, 25 fps video
WINDOW = VIEW + ROWS_PER_FRAME * (NEIGHBOURS - 1)


class AudioEncoderConfig(StrictModel):
    """Sizes of the audio encoder."""

    channels: int = 64
    dropout: float = 0.3


class AudioEncoder(nn.Module):
    """(T, 30, D) feature windows to (T, C) mouth codes."""

    mean: Tensor
    scale: Tensor
    gain: Tensor

    def __init__(self, config: AudioEncoderConfig, features: int, codes: int) -> None:
        super().__init__()
        width = config.channels
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("gain", torch.ones(codes))
        self.net = nn.Sequential(
            nn.Conv1d(features, width, 3, padding=1),
            nn.LeakyReLU(0.02),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
            nn.LeakyReLU(0.02),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
            nn.LeakyReLU(0.02),
            nn.Flatten(),
            nn.Dropout(config.dropout),
            nn.Linear(width * (VIEW // 4), width),
            nn.LeakyReLU(0.02),
        )
        self.attention = nn.Sequential(
            nn.Conv1d(width, 16, 3, padding=1),
            nn.LeakyReLU(0.02),
            nn.Conv1d(16, 4, 3, padding=1),
            nn.LeakyReLU(0.02),
            nn.Flatten(),
            nn.Linear(4 * NEIGHBOURS, NEIGHBOURS),
            nn.Softmax(-1),
        )
        self.head = nn.Linear(width, codes)
        # A linear path over the whole window: the part of the mapping that needs no depth.
        self.linear = nn.Linear(WINDOW * features, codes)

    @torch.no_grad()
    def fit_normalisation(self, features: FloatArray) -> None:
        """Store mean and deviation of (A, D) features of the training speaker."""
        values = torch.from_numpy(features)
        self.mean.copy_(values.mean(0))
        self.scale.copy_(values.std(0, unbiased=False).clamp_min(1e-3))

    def normalise(self, windows: Tensor) -> Tensor:
        """Standardised to the training speaker and held to +-4 deviations."""
        return ((windows - self.mean) / self.scale).clamp(-4, 4)

    def forward(self, windows: Tensor) -> Tensor:
        """(T, C) mouth code of (T, 30, D) raw feature windows centred on each frame."""
        return self.predict(self.normalise(windows)) * self.gain

    def predict(self, normalised: Tensor) -> Tensor:
        """(T, C) code before the variance gain, from normalised windows."""
        frames = len(normalised)
        views = normalised.unfold(1, VIEW, ROWS_PER_FRAME)  # (T, 8, D, 16)
        looked = self.net(views.reshape(frames * NEIGHBOURS, -1, VIEW))
        looked = looked.reshape(frames, NEIGHBOURS, -1)
        attention = self.attention(looked.transpose(1, 2))
        mixed = (looked * attention[..., None]).sum(1)
        return self.head(mixed) + self.linear(normalised.reshape(frames, -1))
