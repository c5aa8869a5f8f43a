"""Which cells of the head's volume are worth sampling.

Started from the visual hull of the training masks and pruned by the largest *rendering weight* a
cell has shown: a density threshold keeps hidden interior, a weight threshold does not.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from nerf_talker.config import StrictModel


class OccupancyConfig(StrictModel):
    """``interval`` in steps; ``threshold`` on the decayed largest rendering weight of a cell.

    ``refresh`` is the share of the allowed cells that are opened again at each pruning whatever
    their score, another share each time: what was pruned by mistake far from any surface shows
    its weight again. Cells beside a surface stay open in any case.
    """

    resolution: int = 64
    interval: int = 50
    decay: float = 0.8
    threshold: float = 4e-3
    warmup: int = 100
    refresh: float = Field(default=0.0, ge=0, le=1)


class OccupancyGrid(nn.Module):
    """(R, R, R) cells over the field's box, indexed x, y, z."""

    cells: Tensor
    allowed: Tensor
    score: Tensor
    box: Tensor

    def __init__(self, config: OccupancyConfig, box: Tensor) -> None:
        super().__init__()
        self.config = config
        resolution = config.resolution
        self.register_buffer("box", box)
        self.register_buffer("cells", torch.ones(resolution, resolution, resolution).bool())
        self.register_buffer("allowed", torch.ones_like(self.cells))
        self.register_buffer("score", torch.zeros(resolution**3))

    def centres(self) -> Tensor:
        """(R**3, 3) cell centres in metres, x slowest."""
        line = (torch.arange(self.config.resolution) + 0.5) / self.config.resolution
        mesh = torch.meshgrid(line, line, line, indexing="ij")
        unit = torch.stack([axis.reshape(-1) for axis in mesh], -1).to(self.box)
        return self.box[0] + unit * (self.box[1] - self.box[0])

    @torch.no_grad()
    def start_from(self, cells: Tensor) -> None:
        """Allow only the given (R, R, R) cells, now and later."""
        self.allowed.copy_(cells)
        self.cells.copy_(cells)

    @torch.no_grad()
    def observe(self, points: Tensor, weights: Tensor) -> None:
        """Remember the rendering weights (M,) seen at points (M, 3)."""
        resolution = self.config.resolution
        cell = ((points - self.box[0]) / (self.box[1] - self.box[0]) * resolution).long()
        cell = cell.clamp(0, resolution - 1)
        flat = (cell[:, 0] * resolution + cell[:, 1]) * resolution + cell[:, 2]
        self.score.scatter_reduce_(0, flat, weights.float(), "amax")

    @torch.no_grad()
    def prune(self, turn: int = 0) -> None:
        """Set the allowed cells whose score, or a neighbour's, passes the threshold; decay it.

        A cell beside a surface always stays open, so a hole closes from its rim. The score is the
        largest weight over all driven frames seen lately, so that what one pose of the mouth alone
        fills counts as much as what is always there.

        Args:
            turn: Counts the prunings; decides which cells are refreshed.
        """
        resolution = self.config.resolution
        kept = (self.score > self.config.threshold).float()
        grown = F.max_pool3d(kept.reshape(1, 1, resolution, resolution, resolution), 3, 1, 1)
        self.cells.copy_(((grown[0, 0] > 0) | self._refreshed(turn)) & self.allowed)
        self.score.mul_(self.config.decay)

    def _refreshed(self, turn: int) -> Tensor:
        """(R, R, R) cells whose turn it is: each once in 1 / ``refresh`` turns, spread evenly."""
        if not self.config.refresh:
            return torch.zeros_like(self.cells)
        period = round(1 / self.config.refresh)
        index = torch.arange(self.score.numel(), device=self.score.device)
        # An odd multiplier shuffles the index, so that those of a turn form no planes.
        shuffled = (index * 2_654_435_761) >> 12
        return (shuffled % period == turn % period).reshape(self.cells.shape)

    def bounds(self) -> Tensor:
        """(2, 3) the tight box around the set cells, metres; the whole box when none is set."""
        resolution = self.config.resolution
        size = (self.box[1] - self.box[0]) / resolution
        # Without nonzero, which would make every training step wait for a GPU.
        used = torch.stack([self.cells.any(a).any(b) for a, b in ((1, 1), (0, 1), (0, 0))])
        index = torch.arange(resolution, device=used.device)
        first = torch.where(used, index, resolution).amin(1)
        last = torch.where(used, index, -1).amax(1)
        tight = torch.stack([self.box[0] + first * size, self.box[0] + (last + 1) * size])
        return torch.where(used.any(), tight, self.box)
