"""Training side by side in the processes that ``torchrun`` starts on one machine.

Every process renders its own share of a step's rays; gradients are averaged, so that all take the
same step. A lone process meets nothing of this.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor


class Processes:
    """This process among its peers: ``rank`` of ``world``."""

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        """A lone process by default; the group is joined elsewhere."""
        self.rank, self.world = rank, world

    @classmethod
    def joined(cls) -> Processes:
        """The group that ``torchrun`` describes in the environment; a lone process without it."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        if not dist.is_initialized():
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), world)

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over the processes."""
        if self.world > 1:
            for value in tensors:
                dist.all_reduce(value)
                value /= self.world

    def largest(self, value: Tensor) -> None:
        """Replace a tensor by the elementwise maximum over the processes."""
        if self.world > 1:
            dist.all_reduce(value, dist.ReduceOp.MAX)

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any process."""
        if self.world == 1:
            return flag
        value = torch.tensor(float(flag), device=device)
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value)

    def gathered(self, value: Tensor) -> list[Tensor]:
        """The value of every process, in the order of ranks."""
        if self.world == 1:
            return [value]
        found: list[Tensor | None] = [None] * self.world
        dist.all_gather_object(found, value)
        return [part for part in found if part is not None]

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            dist.barrier()
