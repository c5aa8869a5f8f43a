"""The audio encoder of avatars made before the regression: they are read, and no longer made.

The person-specific audio net of AD-NeRF (Guo et al. 2021) and its temporal attention: one
convolution stack looks at 16 feature rows (0.32 s) around each of 8 neighbouring video frames, and
an attention over the 8 mixes them, which steadies the lips without delaying them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nerf_talker.field.audio_encoder import LIMIT, WINDOW
from nerf_talker.field.closed_mouth import presumed_closed_code
from nerf_talker.field.mouth import MouthCode

VIEW = 16  # feature rows: 0.32 s at 50 Hz, about one syllable either side of the frame
NEIGHBOURS = 8  # video frames the attention looks at
ROWS_PER_FRAME = 2  # 50 Hz features, 25 fps video


class AudioNetwork(nn.Module):
    """(T, 30, D) feature windows to (T, C) mouth codes."""

    mean: Tensor
    scale: Tensor
    gain: Tensor
    closed: Tensor
    level: Tensor

    def __init__(self, width: int, features: int, mouth: MouthCode) -> None:
        """A network of ``width`` channels over D ``features`` for a fitted mouth code."""
        super().__init__()
        codes = len(mouth.scale)
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
            nn.Identity(),  # training had a dropout here
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

        # These files say neither how the mouth is closed nor how loud the speech was.
        self.register_buffer("closed", presumed_closed_code(mouth), persistent=False)
        self.register_buffer("level", torch.tensor(torch.inf), persistent=False)

    def normalise(self, windows: Tensor) -> Tensor:
        """Standardised to the training speaker and held to +-4 deviations."""
        return ((windows - self.mean) / self.scale).clamp(-LIMIT, LIMIT)

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
