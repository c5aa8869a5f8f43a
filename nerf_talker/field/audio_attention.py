"""A small network from the sound to the mouth code, which learns with the head.

The person-specific audio net of AD-NeRF (Guo et al. 2021) and its temporal attention: one
convolution stack looks at 16 feature rows (0.32 s) around each of 8 neighbouring video frames, and
an attention over the 8 mixes them, which steadies the lips without delaying them. The colour loss
alone teaches it, as in AD-NeRF and its successors: no landmark says what the mouth should do.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nerf_talker.field.audio_encoder import Listener

VIEW = 16  # feature rows: 0.32 s at 50 Hz, about one syllable either side of the frame
NEIGHBOURS = 8  # video frames the attention looks at
ROWS_PER_FRAME = 2  # 50 Hz features, 25 fps video
CHANNELS = 64
SLOPE = 0.02


class AttentiveListener(Listener):
    """(T, 30, D) feature windows to what ``width`` channels hear of them."""

    def __init__(self, features: int, width: int) -> None:
        """Convolutions over D ``features`` and attention over neighbouring frames."""
        super().__init__(features)
        self.net = nn.Sequential(
            nn.Conv1d(features, width, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Flatten(),
            nn.Identity(),  # former avatars count their layers with a dropout here
            nn.Linear(width * (VIEW // 4), width),
            nn.LeakyReLU(SLOPE),
        )
        self.attention = nn.Sequential(
            nn.Conv1d(width, 16, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(16, 4, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Flatten(),
            nn.Linear(4 * NEIGHBOURS, NEIGHBOURS),
            nn.Softmax(-1),
        )

    def attended(self, normalised: Tensor) -> Tensor:
        """(T, width) of (T, 30, D) normalised windows centred on each frame."""
        frames = len(normalised)
        views = normalised.unfold(1, VIEW, ROWS_PER_FRAME)  # (T, 8, D, 16)
        looked = self.net(views.reshape(frames * NEIGHBOURS, -1, VIEW))
        looked = looked.reshape(frames, NEIGHBOURS, -1)
        attention = self.attention(looked.transpose(1, 2))
        return (looked * attention[..., None]).sum(1)


class JointEncoder(AttentiveListener):
    """(T, 30, D) feature windows to (T, C) mouth codes, learned with the head.

    What is heard is normalised before it becomes a code (Ba et al. 2016). Without, the first steps,
    whose gradient is alike for all frames, push every code to its limit, where nothing moves it any
    more: after 300 steps on a real clip all frames had the same code.
    """

    closed: Tensor
    level: Tensor

    def __init__(self, features: int, codes: int, limit: float) -> None:
        """A network of fresh weights.

        Args:
            features: D, width of the speech features.
            codes: C, components of the mouth code.
            limit: What codes are softly held to, as those of landmarks are.
        """
        super().__init__(features, CHANNELS)
        self.limit = limit
        self.to_code = nn.Linear(CHANNELS, codes)
        # As of the encoder that learns alone: the code of the closed mouth and the speech's level.
        self.register_buffer("closed", torch.zeros(codes))
        self.register_buffer("level", torch.tensor(torch.inf))

    def forward(self, windows: Tensor) -> Tensor:
        """(T, C) mouth code of (T, 30, D) raw feature windows centred on each frame."""
        # The head is told in whole precision, whoever asks and however rays are then computed.
        with torch.autocast(windows.device.type, enabled=False):
            heard = self.attended(self.normalise(windows))
            code = self.to_code(F.layer_norm(heard, heard.shape[-1:]))
            return self.limit * torch.tanh(code / self.limit)
