"""What two processes run in the test of training side by side: once unbroken, once cut."""

import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch

from nerf_talker.data.dataset import Dataset
from tests.train.runs import QUICK, trainer

SETTINGS = QUICK | {"log_interval": 5, "sampler": {"rays": 512, "frames": 8, "errors": 0.05}}
CUT = 33  # some steps after a checkpoint and a pruning


class Cut(BaseException):
    """Stands for a kill: nothing in the product catches it."""


def cut(plain, made):
    """A step that never comes after ``CUT`` of them."""
    if made.step == CUT:
        raise Cut
    return plain()


def table(made):
    """What tells one head from another."""
    return float(made.talker.head.table.detach().double().abs().sum())


if __name__ == "__main__":
    dataset, folder = Dataset.open(Path(sys.argv[1])), Path(sys.argv[2])
    made = trainer(dataset, folder, **SETTINGS)
    made.fit()
    killed = trainer(dataset, folder.with_name("cut"), **SETTINGS)
    killed._take_step = partial(cut, killed._take_step, killed)
    with suppress(Cut):
        killed.fit()
    resumed = trainer(dataset, folder.with_name("cut"), **SETTINGS)
    resumed.fit()
    seen = [(run.sampler.errors.values, run.talker.occupancy.score) for run in (made, resumed)]
    same = [torch.equal(one, two) for one, two in zip(*seen, strict=True)]
    print(made.processes.rank, killed.step, table(made), table(resumed), *same, flush=True)
