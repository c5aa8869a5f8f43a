"""Installing: from an sdist, without a compiler, with and without CUDA, used from elsewhere.

The hooks that pip calls are called as an isolated build sees them, without torch or numpy.
Compilers are stand-ins (tests/ops/compilers.py), so a wheel takes two seconds.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.ops.compilers import calls, environment, stand_in

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("nerf_talker", "preprocess", "cuda_ext", "configs")
BESIDE = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
CPU = ["libnerf_talker_cpu", "libnerf_talker_cpu_v4"]

HOOK = "import sys; from setuptools import build_meta; print(build_meta.{}(sys.argv[1]))"
USE = """
import torch, warnings
warnings.simplefilter("always")
from nerf_talker import ops, preprocess
from nerf_talker.ops import backend, cuda_kernels, load
print(ops.__file__)
for path in (*load.PACKAGED, cuda_kernels.PACKAGED):
    fault = cuda_kernels.packaged_fault if "cuda" in path.name else load.packaged_fault
    print(f"{path.stem}: {fault(path)}")
backend.library_for(torch.ones(1))
try:
    print("cuda:", cuda_kernels.cuda_library().path)
except backend.BackendError as error:
    print("cuda:", " ".join(str(error).split()))
"""


@pytest.fixture(scope="module", autouse=True)
def _setuptools():
    try:
        found = version("setuptools")
    except PackageNotFoundError:
        found = "0"
    if int(found.split(".")[0]) < 77:
        pytest.skip(f"setuptools is {found}, a build needs 77: no wheel was made")


@pytest.fixture
def bare(tmp_path):
    """Variables of an isolated build: what it may not import is in the way."""
    folder = tmp_path / "not_there"
    folder.mkdir()
    for name in ("torch", "numpy"):
        (folder / f"{name}.py").write_text("raise ImportError('an isolated build has none')\n")
    return {"PYTHONPATH": folder, "XDG_CACHE_HOME": tmp_path / "cache"}


def hook(name, source, target, **variables):
    """Run one build hook in ``source``; the path of what it made in ``target``."""
    done = subprocess.run(
        [sys.executable, "-c", HOOK.format(name), str(target)],
        env=environment(**variables),
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return target / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The sources as an sdist carries them."""
    folder = tmp_path_factory.mktemp("sdist")
    tree = folder / "tree"
    for name in SHIPPED:
        unwanted = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / name, tree / name, ignore=unwanted)
    for name in BESIDE:
        shutil.copy(ROOT / name, tree / name)
    made = hook("build_sdist", tree, folder, CXX="/nonexistent")
    with tarfile.open(made) as archive:
        archive.extractall(folder / "out", filter="data")
    return next((folder / "out").iterdir())


def installed(unpacked, tmp_path, **variables):
    """A folder with the wheel made of the sdist, and names of the libraries in it."""
    source = tmp_path / "source"
    shutil.copytree(unpacked, source)
    made = hook("build_wheel", source, tmp_path, **variables)
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path / "site")
    return tmp_path / "site", sorted(path.stem for path in (tmp_path / "site").rglob("*.so"))


def use(site, tmp_path, **variables):
    """What a program says that uses the installed package from a folder of its own."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    wanted = environment(**{**variables, "PYTHONPATH": site})
    done = subprocess.run(
        [sys.executable, "-c", USE], env=wanted, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith(str(site))
    return done.stdout, done.stderr


def without(program):
    """PATH without the folders that hold a program."""
    parts = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(part for part in parts if not (Path(part) / program).exists())


def test_a_wheel_without_a_compiler_works_and_says_what_it_lacks(unpacked, bare, tmp_path):
    absent = {**bare, "CXX": "/nonexistent", "PATH": without("nvcc")}
    site, libraries = installed(unpacked, tmp_path, **absent)
    assert libraries == []
    wanted = {
        Path("nerf_talker" if name == "nerf_talker" else f"nerf_talker/{name}") / path
        for name in SHIPPED
        for path in (p.relative_to(ROOT / name) for p in (ROOT / name).rglob("*"))
        if path.suffix not in ("", ".pyc", ".so")
    }
    assert {path for path in wanted if not (site / path).is_file()} == set()
    out, err = use(site, tmp_path, **absent)
    assert out.count("none was installed") == 4
    assert err.count("RuntimeWarning") == 1 and "Install g++" in err and "slower" in err
    assert "cuda: no CUDA operators" in out and "nvcc was not found; install the CUDA" in out


def test_a_wheel_with_both_libraries_uses_them(unpacked, bare, tmp_path):
    nvcc, cxx = stand_in(tmp_path / "home/bin/nvcc"), stand_in(tmp_path / "bin/c++")
    tools = {"CXX": cxx, "CUDA_HOME": nvcc.parents[1]}
    site, libraries = installed(unpacked, tmp_path, **bare, **tools, NERF_TALKER_CUDA=1)
    assert libraries in (sorted([*CPU, "libnerf_talker_cuda"]), [CPU[0], "libnerf_talker_cuda"])
    assert len(calls(cxx)) == len(libraries) - 1 and len(calls(nvcc)) == 1
    out, err = use(site, tmp_path, **bare, **tools)
    assert "libnerf_talker_cuda: None" in out and f"cuda: {site}" in out
    assert "libnerf_talker_cpu: None" in out or "libnerf_talker_cpu: needs a processor" in out
    assert len(calls(nvcc)) == 1 and "RuntimeWarning" not in err


def test_a_cuda_build_that_fails_does_not_fail_the_install(unpacked, bare, tmp_path):
    nvcc = stand_in(tmp_path / "home/bin/nvcc", refuses=True)
    tools = {"CXX": stand_in(tmp_path / "bin/c++"), "CUDA_HOME": nvcc.parents[1]}
    site, libraries = installed(unpacked, tmp_path, **bare, **tools, NERF_TALKER_CUDA=1)
    assert len(calls(nvcc)) == 1 and set(libraries) <= set(CPU) and CPU[0] in libraries
    out, _ = use(site, tmp_path, **bare, **tools)
    assert "packaged library: none was installed; compiling one: compiling failed" in out
    assert "stand-in: error: refused" in out


@pytest.mark.parametrize("seen", (True, False), ids=("with_a_gpu", "without_a_gpu"))
def test_auto_compiles_for_the_gpu_that_is_here(unpacked, bare, tmp_path, seen):
    nvcc = stand_in(tmp_path / "home/bin/nvcc")
    driver = tmp_path / "driver"
    driver.mkdir()
    if seen:
        (driver / "nvidia-smi").write_text("#!/bin/sh\necho 9.0; echo 9.0\n")
        (driver / "nvidia-smi").chmod(0o755)
    tools = {
        "CXX": "/nonexistent",
        "CUDA_HOME": nvcc.parents[1],
        "PATH": f"{driver}{os.pathsep}{without('nvidia-smi')}",
    }
    _, libraries = installed(unpacked, tmp_path, **bare, **tools)
    assert libraries == (["libnerf_talker_cuda"] if seen else [])
    codes = [part for call in calls(nvcc) for part in call.split() if "gencode" in part]
    assert codes == [f"-gencode=arch=compute_90,code={c}_90" for c in ("sm", "compute")][: 2 * seen]


def test_an_unknown_wish_for_cuda_is_named(unpacked, bare):
    given = environment(**bare, NERF_TALKER_CUDA="yes")
    asked = [sys.executable, "setup.py", "--version"]
    done = subprocess.run(asked, env=given, cwd=unpacked, capture_output=True, text=True)
    assert (
        done.returncode == 1 and "NERF_TALKER_CUDA is 'yes', needs one of auto, 0, 1" in done.stderr
    )
