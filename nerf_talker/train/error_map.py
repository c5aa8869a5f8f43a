"""Where the picture is still wrong: a coarse running error of every training frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

CELLS = 16
MEMORY = 0.7  # share of the old error that a new look leaves
FLOOR = 0.1  # share of the mean error that a cell keeps, so that it is looked at again


class ErrorMap:
    """(F, 16, 16) running mean errors; all alike at first."""

    def __init__(self, frames: int, size: int) -> None:
        """``size`` is the width of the square frames in pixels."""
        self.size = size
        self.values: Tensor = torch.ones(frames, CELLS * CELLS)

    def boxes(
        self, rows: npt.NDArray[np.int64], generator: torch.Generator
    ) -> npt.NDArray[np.int64]:
        """(N, 4) top, left, bottom, right of a cell for each of (N,) rows, likely a wrong one."""
        if not len(rows):
            return np.zeros((0, 4), np.int64)
        values = self.values[torch.from_numpy(rows)]
        shares = values + FLOOR * values.mean(1, keepdim=True) + 1e-12
        cell = torch.multinomial(shares, 1, generator=generator)[:, 0].numpy()
        row, column = cell // CELLS, cell % CELLS
        edges = np.arange(CELLS + 1) * self.size // CELLS
        return np.stack([edges[row], edges[column], edges[row + 1], edges[column + 1]], -1)

    def learn(
        self,
        rows: npt.NDArray[np.int64],
        pixels: npt.NDArray[np.int64],
        errors: npt.NDArray[np.float32],
    ) -> None:
        """Move the cells that (N,) errors were seen in towards their mean."""
        place = pixels * CELLS // self.size
        flat = (rows * CELLS + place[:, 0]) * CELLS + place[:, 1]
        cells, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
        seen = np.bincount(inverse, errors) / counts
        old = self.values.view(-1)
        where = torch.from_numpy(cells)
        old[where] = MEMORY * old[where] + (1 - MEMORY) * torch.from_numpy(seen).float()
