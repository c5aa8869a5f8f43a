"""Two processes on the processor against one: the same weights in both, the same result."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from nerf_talker.train.processes import Processes
from tests.train.runs import QUICK, losses, trainer

ROOT = Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_two_processes_learn_what_one_does(ellipse, tmp_path):
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
    assert said[0][2] == said[1][2]
    trainer(ellipse, tmp_path / "one", **QUICK, log_interval=5).fit()
    two = np.asarray([loss for _, loss in losses(tmp_path / "two")][-6:])
    one = np.asarray([loss for _, loss in losses(tmp_path / "one")][-6:])
    assert len(two) == len(one) == 6
    assert abs(two.mean() - one.mean()) < 0.1 * one.mean()


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
