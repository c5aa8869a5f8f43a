"""Two processes on the processor against one: the same weights in both, the same result."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from nerf_talker.train.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from nerf_talker.train.processes import Processes
from nerf_talker.train.snapshot import restore
from tests.train.runs import losses, trainer
from tests.train.torchrun_smoke import CUT, SETTINGS

ROOT = Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_two_processes_learn_what_one_does_and_go_on_exactly(ellipse, tmp_path):
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    shared |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "tests.train.torchrun_smoke", str(ellipse.root)]
    started = [
        subprocess.Popen(
            [*command, str(tmp_path / "two")],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[0].split() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    # Rank, steps before the cut, the heads' sums unbroken and resumed; are error map and
    # occupancy the same?
    assert [line[:2] for line in said] == [["0", str(CUT)], ["1", str(CUT)]]
    assert len({total for line in said for total in line[2:4]}) == 1
    assert [line[4:] for line in said] == [["True", "True"]] * 2
    trainer(ellipse, tmp_path / "one", **SETTINGS).fit()
    two = np.asarray([loss for _, loss in losses(tmp_path / "two")][-6:])
    one = np.asarray([loss for _, loss in losses(tmp_path / "one")][-6:])
    assert len(two) == len(one) == 6
    assert abs(two.mean() - one.mean()) < 0.1 * one.mean()


def test_error_maps_of_other_processes_are_averaged(ellipse, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **SETTINGS)
    made.fit()
    path = latest_checkpoint(made.run.checkpoints)
    state = load_checkpoint(path)
    (own,) = state.pop("error_maps")
    for maps, wanted in (
        ({"error_maps": [own, 3 * own]}, 2 * own),
        ({"error_maps": [own]}, own),
        ({"errors": 5 * own}, 5 * own),  # as an older version kept it
    ):
        save_checkpoint(path, {k: v for k, v in state.items() if k != "version"} | maps)
        restore(made, path)
        assert torch.allclose(made.sampler.errors.values, wanted)


def test_a_lone_process_meets_nothing(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = Processes.joined()
    value = torch.ones(2)
    alone.average([value])
    alone.largest(value)
    alone.wait()
    assert alone.first and alone.world == 1 and value.tolist() == [1, 1]
    assert alone.gathered(value)[0] is value
    assert alone.any(True, torch.device("cpu")) and not alone.any(False, torch.device("cpu"))
