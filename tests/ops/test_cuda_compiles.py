"""Every CUDA source compiles for every architecture: no warning, no spill, no float64.

Needs nvcc but no GPU; skipped, with the reason, where nvcc is not.
"""

import ctypes
import re
import subprocess

import pytest
import torch

from nerf_talker.errors import BackendError
from nerf_talker.ops.build import BuildError, cached_library, source_folder
from nerf_talker.ops.cuda_build import ARCHITECTURES, cuda_recipe, kernel_sources, nvcc
from nerf_talker.ops.cuda_kernels import KernelLibrary

CHECKS = (
    *("-std=c++17", "-O3", "-cubin", "-Werror", "all-warnings"),
    *("-Xptxas", "-v,-warn-spills,-warn-double-usage", "--threads", "2"),
)

pytestmark = pytest.mark.skipif(
    nvcc() is None, reason="nvcc is not here: the CUDA kernels were not compiled"
)


def compiled(sources, architecture, folder):
    command = [str(nvcc()), *CHECKS, f"-arch=sm_{architecture}", *map(str, sources)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_compiles_without_spills(architecture, tmp_path):
    done = compiled(kernel_sources(), architecture, tmp_path)
    said = done.stdout + done.stderr
    if f"Value 'sm_{architecture}' is not defined" in said:
        pytest.skip(f"{nvcc()} does not know sm_{architecture}")
    assert done.returncode == 0, said[-6000:]
    assert len(list(tmp_path.glob("*.cubin"))) == len(kernel_sources())
    spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", said)
    assert len(spills) > 30 and set(spills) == {("0", "0")}
    registers = [int(used) for used in re.findall(r"Used (\d+) registers", said)]
    print(f"sm_{architecture}: {len(registers)} kernels, at most {max(registers)} registers")


FAULTS = {
    "float64": "__global__ void k(float* x) { *x = *x * 0.1; }",
    "host function": "float host(float x); __global__ void k(float* x) { *x = host(*x); }",
    "typo": "__global__ void k(float* x) { *x = y; }",
}


@pytest.mark.parametrize("text", FAULTS.values(), ids=FAULTS)
def test_the_check_would_notice(text, tmp_path):
    source = tmp_path / "fault.cu"
    source.write_text(text)
    assert compiled([source], ARCHITECTURES[0], tmp_path).returncode != 0


def test_only_the_launch_headers_spell_a_launch():
    spelled = [
        path.name
        for path in source_folder().rglob("*")
        if path.suffix in (".h", ".cu") and "<<<" in path.read_text()
    ]
    assert spelled == ["launch.h"]


def test_the_library_builds_and_says_so_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setenv("NERF_TALKER_CUDA_ARCH", "90")
    library = KernelLibrary("cuda", cached_library(cuda_recipe()))
    for name in ("triplane_encode", "march_packed", "composite_backward", "fused_render"):
        assert ctypes.cast(getattr(library.handle, f"ntc_{name}_f32"), ctypes.c_void_p).value
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: what follows is for those without")
    one = torch.zeros(1, 3)
    with pytest.raises(BackendError, match=r"sh \(cuda back-end\): CUDA error \d+, cudaError"):
        library.call("sh", torch.float32, one, 4, 1, torch.zeros(1, 16))


def test_an_unknown_architecture_is_named(monkeypatch):
    monkeypatch.setenv("NERF_TALKER_CUDA_ARCH", "90,13")
    with pytest.raises(BuildError, match=r"NERF_TALKER_CUDA_ARCH names 13; .* knows .*90"):
        cuda_recipe()
