"""The script for a machine with a GPU, run here with stand-ins for its tools: every step exists."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import arguments

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "benchmarks" / "gpu.sh"
PYTHON = """#!/bin/sh
echo "$@" | tr '\\n' ' ' >> "{log}"; echo >> "{log}"
case "$*" in *{fails}*) echo "stand-in fails"; exit 1;; esac
echo stand-in
"""


def tool(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return folder / name


def run(tmp_path, fails="nothing", without=()):
    """The script's process, and the arguments of every call of Python in it."""
    tools, log = tmp_path / "tools", tmp_path / "calls"
    python = tool(tools, "python", PYTHON.format(log=log, fails=fails))
    stand_ins = {
        "nvidia-smi": "#!/bin/sh\necho NVIDIA Some GPU\n",
        "nvcc": "#!/bin/sh\n",
        # What it watches comes after its own options, each of which has a value but the last.
        "compute-sanitizer": '#!/bin/sh\nshift 6\nexec "$@"\n',
    }
    for name in set(stand_ins) - set(without):
        tool(tools, name, stand_ins[name])
    parts = os.environ["PATH"].split(os.pathsep)
    others = [p for p in parts if not any((Path(p) / name).exists() for name in stand_ins)]
    done = subprocess.run(
        [shutil.which("bash"), str(SCRIPT), str(tmp_path / "logs")],
        env={**os.environ, "PYTHON": str(python), "PATH": os.pathsep.join([str(tools), *others])},
        capture_output=True,
        text=True,
    )
    return done, log.read_text().splitlines() if log.is_file() else []


@pytest.fixture(autouse=True)
def _bash():
    for name in ("bash", "git"):
        if not shutil.which(name):
            pytest.skip(f"{name} is not here")


def test_every_step_exists(tmp_path):
    done, called = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "commit tests/benchmarks/results/nvidia-some-gpu.md" in done.stdout
    tests = [line.split()[2:] for line in called if line.startswith("-m pytest")]
    assert len(tests) == 4
    for given in tests:
        paths = [part for part in given if part.startswith("tests/")]
        assert paths and all((ROOT / path).exists() for path in paths)
    bench = next(line.split()[2:] for line in called if line.startswith("-m tests.benchmarks"))
    assert arguments(bench).rays == [4096, 65536] and arguments(bench).device == "cuda"
    assert sum("memcheck" in line or "racecheck" in line for line in done.stdout.splitlines()) == 2


def test_the_sanitizers_look_at_tests_that_exist(tmp_path):
    _, called = run(tmp_path)
    watched = next(line for line in called if "not graph" in line).split()
    begin = watched.index("-k")
    given = [*watched[2:begin], "-k", " ".join(watched[begin + 1 :]), "--collect-only", "-q"]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", *given],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert found.returncode == 0 and "test_backends.py" in found.stdout, found.stdout[-2000:]
    assert "graph" not in found.stdout


def test_a_failed_step_is_counted_and_the_rest_runs(tmp_path):
    done, called = run(tmp_path, fails="doctor")
    assert done.returncode == 1 and "FAILED: doctor" in done.stdout
    assert "failed: doctor" in done.stdout
    assert any("tests.benchmarks" in line for line in called)


def test_a_missing_tool_is_named(tmp_path):
    done, called = run(tmp_path, without=("compute-sanitizer",))
    assert done.returncode == 2 and called == []
    assert done.stderr.startswith("error: compute-sanitizer is not on the path")
