"""The builder and the loader: no compiler, a refusing one, stale and unfit libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nerf_talker.errors import BackendError
from nerf_talker.ops import build, load
from tests.ops.compilers import stand_in

ROOT = Path(__file__).resolve().parents[2]
CALL = (
    "import warnings; warnings.simplefilter('always'); import torch; from nerf_talker import ops\n"
    "for _ in range(3): print(ops.spherical_harmonics(torch.ones(1, 3)).shape)"
)


@pytest.fixture
def compiler():
    recipe = build.cpu_recipe()
    try:
        build._run(recipe, [*recipe.compiler, "--version"])
    except build.BuildError as error:
        pytest.skip(f"no C++ compiler: {error}")
    return recipe


def start(script, cache, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def answer(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


def test_without_a_compiler_the_reference_runs_and_one_warning_says_so(tmp_path):
    script = f"from nerf_talker.ops import load; load.PACKAGED = [load.Path('/none')]\n{CALL}"
    environment = {"CXX": "/nonexistent", "NERF_TALKER_OPS": "auto", "NERF_TALKER_MARCH": ""}
    out, err = answer(start(script, tmp_path, **environment))
    assert out.count("torch.Size([1, 16])") == 3
    assert err.count("RuntimeWarning") == 1
    for part in ("none was installed", "/nonexistent: No such file", "Install g++", "slower"):
        assert part in err


def test_without_a_compiler_a_wanted_back_end_is_an_error(tmp_path):
    script = f"from nerf_talker.ops import load; load.PACKAGED = [load.Path('/none')]\n{CALL}"
    process = start(script, tmp_path, CXX="/nonexistent", NERF_TALKER_OPS="cpu")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "BackendError: NERF_TALKER_OPS=cpu: no native" in err


def test_importing_builds_and_loads_nothing(tmp_path):
    script = "import nerf_talker.ops; print('nerf_talker' in dir(__import__('torch').ops))"
    out, _ = answer(start(script, tmp_path))
    assert out.strip() == "False" and not list(tmp_path.iterdir())


def test_a_refusing_compiler_is_quoted(compiler, tmp_path):
    source = tmp_path / "broken.cpp"
    source.write_text("int main( {")
    recipe = build.Recipe("broken", compiler.compiler, (), (source,))
    with pytest.raises(build.BuildError, match=r"compiling failed: .*broken\.cpp(.|\n)*error:"):
        build.compile_library(recipe, tmp_path / "broken.so")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.cpp"]


def test_what_decides_the_result_decides_the_key(compiler, monkeypatch):
    usual = build._key(compiler)
    assert build._key(build.cpu_recipe()) == usual
    monkeypatch.setenv("NERF_TALKER_MARCH", "x86-64-v2")
    assert build._key(build.cpu_recipe()) != usual
    monkeypatch.setenv("NERF_TALKER_MARCH", "fast")
    with pytest.raises(build.BuildError, match="NERF_TALKER_MARCH is 'fast', needs one of native"):
        build.cpu_recipe()


def test_a_packaged_library_is_taken_when_it_fits(tmp_path, monkeypatch):
    monkeypatch.delenv("NERF_TALKER_MARCH", raising=False)
    monkeypatch.setenv("CXX", str(stand_in(tmp_path / "g++")))
    library = tmp_path / "packaged.so"
    build.compile_library(build.cpu_recipe("x86-64-v3"), library)
    monkeypatch.setattr(load, "PACKAGED", (tmp_path / "absent.so", library))
    assert load.packaged_fault(library) is None and load.cpu_library().path == library
    monkeypatch.setattr(load, "_rank", ("AVX512", "DEFAULT", "AVX2").index)
    assert load.packaged_fault(library) == "needs a processor with AVX2"
    monkeypatch.setattr(load, "ABI", load.ABI + 1)
    assert "has interface" in load.packaged_fault(library)
    monkeypatch.undo()
    monkeypatch.setattr(load, "sources_fingerprint", lambda kind: "newer")
    assert load.packaged_fault(library) == "was built from other sources"
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    assert "cannot be loaded" in load.packaged_fault(broken)
    assert load.packaged_fault(tmp_path / "absent.so") == "none was installed"


def test_both_causes_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "PACKAGED", (tmp_path / "absent.so",))
    monkeypatch.setenv("CXX", "/nonexistent")
    monkeypatch.delenv("NERF_TALKER_MARCH", raising=False)
    with pytest.raises(BackendError, match=r"packaged.*none was installed.*compiling.*nonexistent"):
        load.cpu_library()
