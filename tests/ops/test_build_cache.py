"""The cache of compiled libraries, when builds are killed and when two begin at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nerf_talker.ops import load
from tests.ops.compilers import calls, environment, stand_in

ROOT = Path(__file__).resolve().parents[2]
# Without what the packages import, as setup.py does it: a process is up in a moment.
ASK = """
import sys
from types import ModuleType
for name in ("nerf_talker", "nerf_talker.ops"):
    sys.modules[name] = ModuleType(name)
    sys.modules[name].__path__ = [name.replace(".", "/")]
from nerf_talker.ops import build, cuda_build
assert "torch" not in sys.modules
print(build.cached_library({recipe}()))
"""
# Kind of library, its recipe, the prefix of its functions, and the folder of its sources.
KINDS = {
    "cpu": ("build.cpu_recipe", "nt", "cpu"),
    "emulated": ("cuda_build.emulated_recipe", "ntc", None),
    "cuda": ("cuda_build.cuda_recipe", "ntc", "cuda"),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def compiler_of(kind, folder, **manner):
    return stand_in(folder / "bin" / ("nvcc" if kind == "cuda" else "g++"), **manner)


def start(kind, compiler, cache):
    """Another process that asks for a library; it leads a process group of its own."""
    chosen = {"CUDA_HOME": compiler.parents[1]} if kind == "cuda" else {"CXX": compiler}
    return subprocess.Popen(
        [sys.executable, "-c", ASK.format(recipe=KINDS[kind][0])],
        env=environment(XDG_CACHE_HOME=cache, **chosen),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def answer(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return Path(out.strip())


def fault(kind, library):
    _, prefix, folder = KINDS[kind]
    found = load.stale_library(library, prefix, folder or "cuda")
    # The emulation is made of more sources than the kernels, and is never packaged.
    return None if kind == "emulated" and found == "was built from other sources" else found


def test_a_second_process_takes_what_the_first_compiled(kind, tmp_path):
    compiler = compiler_of(kind, tmp_path)
    first = answer(start(kind, compiler, tmp_path))
    assert answer(start(kind, compiler, tmp_path)) == first
    assert len(calls(compiler)) == 1 and fault(kind, first) is None


def test_two_processes_at_once_build_once_and_both_end_well(kind, tmp_path):
    compiler = compiler_of(kind, tmp_path, seconds=1)
    both = [start(kind, compiler, tmp_path) for _ in range(2)]
    one, other = (answer(process) for process in both)
    assert one == other and fault(kind, one) is None
    assert len(calls(compiler)) == 1
    assert [path.suffix for path in sorted(one.parent.iterdir())] == [".lock", ".so"]


@pytest.mark.parametrize("whole_group", (True, False), ids=("all", "not_the_compiler"))
def test_a_build_killed_in_the_middle_is_begun_again(kind, whole_group, tmp_path):
    victim = start(kind, compiler_of(kind, tmp_path, seconds=60), tmp_path)
    folder = tmp_path / "nerf-talker" / "native"
    for _ in range(600):
        if folder.is_dir() and [p for p in folder.glob(".*") if p.stat().st_size]:
            break
        time.sleep(0.05)
    try:
        if whole_group:
            os.killpg(victim.pid, signal.SIGKILL)
        else:
            os.kill(victim.pid, signal.SIGKILL)
        victim.wait(timeout=60)
        assert list(folder.glob(f".{kind}-*")) and not list(folder.glob("*.so"))
        # The recipe is the same: only what the stand-in does has changed.
        made = answer(start(kind, compiler_of(kind, tmp_path), tmp_path))
        assert fault(kind, made) is None
        assert not list(folder.glob(f".{kind}-*"))
    finally:
        if not whole_group:
            os.killpg(victim.pid, signal.SIGKILL)  # the orphaned compiler
        victim.communicate()


def test_a_refused_build_leaves_nothing_and_can_be_tried_again(kind, tmp_path):
    process = start(kind, compiler_of(kind, tmp_path, refuses=True), tmp_path)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "stand-in: error: refused" in err
    folder = tmp_path / "nerf-talker" / "native"
    assert [path.suffix for path in folder.iterdir()] == [".lock"]
    assert fault(kind, answer(start(kind, compiler_of(kind, tmp_path), tmp_path))) is None
