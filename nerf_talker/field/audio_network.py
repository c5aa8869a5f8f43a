"""The audio encoder of avatars made before the regression: they are read, and no longer made.

A network of AD-NeRF's kind (Guo et al. 2021), see :mod:`nerf_talker.field.audio_attention`, that
learned codes of landmarks before the head did anything.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nerf_talker.field.audio_attention import AttentiveListener
from nerf_talker.field.audio_encoder import WINDOW
from nerf_talker.field.closed_mouth import presumed_closed_code
from nerf_talker.field.mouth import MouthCode


class AudioNetwork(AttentiveListener):
    """(T, 30, D) feature windows to (T, C) mouth codes."""

    gain: Tensor
    closed: Tensor
    level: Tensor

    def __init__(self, width: int, features: int, mouth: MouthCode) -> None:
        """A network of ``width`` channels over D ``features`` for a fitted mouth code."""
        super().__init__(features, width)
        codes = len(mouth.scale)
        self.register_buffer("gain", torch.ones(codes))
        self.head = nn.Linear(width, codes)
        # A linear path over the whole window: the part of the mapping that needs no depth.
        self.linear = nn.Linear(WINDOW * features, codes)

        # These files say neither how the mouth is closed nor how loud the speech was.
        self.register_buffer("closed", presumed_closed_code(mouth), persistent=False)
        self.register_buffer("level", torch.tensor(torch.inf), persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """(T, C) mouth code of (T, 30, D) raw feature windows centred on each frame."""
        return self.predict(self.normalise(windows)) * self.gain

    def predict(self, normalised: Tensor) -> Tensor:
        """(T, C) code before the variance gain, from normalised windows."""
        straight = self.linear(normalised.reshape(len(normalised), -1))
        return self.head(self.attended(normalised)) + straight
