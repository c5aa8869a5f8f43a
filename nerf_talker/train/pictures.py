"""The training pictures: read from the memory map, or kept whole on a GPU where they fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nerf_talker.data.dataset import Dataset

SHARE = 0.4
"""Of the GPU's free memory that the pictures may take."""

BLOCK = 64  # frames moved at once


class Pictures:
    """Colours and head mattes of single pixels of a dataset."""

    def __init__(self, dataset: Dataset) -> None:
        """Nothing is read yet."""
        self.dataset = dataset
        self.kept: tuple[Tensor, Tensor] | None = None

    def keep_on(self, device: torch.device, room: int | None = None) -> bool:
        """Keep all frames on ``device`` if they fit ``room`` bytes; whether they do now.

        ``room`` is by default a share of the free memory of a GPU, and none elsewhere: the
        processor reads the memory map as fast.
        """
        if room is None:
            room = 0
            if device.type == "cuda":
                room = int(SHARE * torch.cuda.mem_get_info(device)[0])
        sources = (self.dataset.frames, self.dataset.head_alpha)
        if sum(source.nbytes for source in sources) > room:
            return False
        kept = [torch.empty(source.shape, dtype=torch.uint8, device=device) for source in sources]
        for first in range(0, len(sources[0]), BLOCK):
            for target, source in zip(kept, sources, strict=True):
                part = np.array(source[first : first + BLOCK])
                target[first : first + BLOCK].copy_(torch.from_numpy(part))
        self.kept = (kept[0], kept[1])
        return True

    def at(
        self, frames: npt.NDArray[np.int64], pixels: npt.NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """(N, 3) colours and (N,) mattes in [0, 1] of (N,) frames at (N, 2) rows and columns."""
        at = (frames, pixels[:, 0], pixels[:, 1])
        if self.kept is None:
            rgb = torch.from_numpy(self.dataset.frames[at])
            alpha = torch.from_numpy(self.dataset.head_alpha[at])
        else:
            where = tuple(
                torch.from_numpy(part).to(self.kept[0].device, non_blocking=True) for part in at
            )
            rgb, alpha = self.kept[0][where], self.kept[1][where]
        return rgb.float() / 255, alpha.float() / 255
