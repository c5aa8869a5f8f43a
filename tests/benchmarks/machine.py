"""The machine a benchmark ran on, and what it could do at best, measured in the same run."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.benchmarks.timing import best_ms

ROOT = Path(__file__).resolve().parents[2]
COPIED, GATHERED = 2**26, 2**22
EDGES = {"cpu": 1024, "cuda": 8192}  # of the matrices multiplied
ENTRIES = 2**19  # float32: 2 MB, the size of a small grid's table


@dataclass(frozen=True)
class Machine:
    """Where and with what; ``load`` is how many processes wanted to run when it began."""

    processor: str
    cores: int
    threads: int
    gpu: str
    python: str
    torch: str
    commit: str
    load: float


@dataclass(frozen=True)
class Roofline:
    """Rates per second: bytes copied, float32 and bfloat16 matrix FLOP, random reads of 4 bytes."""

    bandwidth: float
    float32: float
    bfloat16: float
    gathers: float

    def longest(self, row):
        """Which of a row's counts takes longest at these rates, and how many milliseconds.

        For bytes and FLOP no implementation takes less. Random reads are no such floor: a lookup
        that reads neighbouring entries finds them in the nearest cache.
        """
        takes = {
            "memory": row.bytes / self.bandwidth,
            "arithmetic": row.flop / getattr(self, row.dtype),
            "random reads": row.gathers / self.gathers,
        }
        name = max(takes, key=takes.get)
        return name, takes[name] * 1e3


def machine(device):
    """Describe this machine."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        threads=torch.get_num_threads(),
        gpu=torch.cuda.get_device_name() if device == "cuda" else "none",
        python=platform.python_version(),
        torch=str(torch.__version__),
        commit=_commit(),
        load=round(os.getloadavg()[0], 1),
    )


def roofline(device):
    """Measure the rates."""
    size = EDGES[device]
    source = torch.zeros(COPIED, device=device)
    target = torch.zeros_like(source)
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    halves = left.bfloat16(), right.bfloat16()
    table = torch.randn(ENTRIES, device=device)
    places = torch.randint(ENTRIES, (GATHERED,), device=device)
    best = best_ms(
        {
            "bandwidth": lambda: target.copy_(source),
            "float32": lambda: left @ right,
            "bfloat16": lambda: halves[0] @ halves[1],
            "gathers": lambda: table.take(places),
        }
    )
    done = {
        "bandwidth": 2 * source.nbytes,
        "float32": 2 * size**3,
        "bfloat16": 2 * size**3,
        "gathers": GATHERED,
    }
    return Roofline(**{name: done[name] / best[name] * 1e3 for name in done})


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    wide = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return f"{names[0] if names else platform.machine()} ({', '.join(wide) or 'no AVX2'})"


def _commit():
    """The checkout's commit, marked where files differ from it."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
