"""Compiling the CUDA kernels: with nvcc for a GPU, or with g++ for the emulation that tests run.

Only the standard library and :mod:`nerf_talker.ops.build` are imported, for ``setup.py``'s sake.

Environment: ``NERF_TALKER_CUDA_ARCH`` lists the architectures, such as ``90`` or ``80,90``; without
it those of the GPUs here are taken. ``CUDA_HOME`` says where nvcc lies when it is not on the path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from nerf_talker.ops.build import (
    BuildError,
    Recipe,
    cpu_recipe,
    source_folder,
    sources_fingerprint,
)

# Ampere, Ada, Hopper and Blackwell cards; the last one's PTX serves what comes after.
ARCHITECTURES = ("80", "86", "89", "90", "120")

PACKAGED = "libnerf_talker_cuda"
"""Name under which ``setup.py`` puts the library beside this file."""

CUDA_FLAGS = (
    *("-std=c++17", "-O3", "--threads", "2", "-shared"),
    *("-Xcompiler", "-fPIC,-fvisibility=hidden"),
)
EMULATED_FLAGS = (
    *("-x", "c++", "-std=c++17", "-DNT_EMULATED", "-shared", "-fPIC", "-fvisibility=hidden"),
    *("-fno-math-errno", "-pthread"),
)
# For tests: ``address`` finds stray reads, writes and undefined behaviour; ``thread`` finds the
# races of kernels whose threads work together.
SANITIZERS = {
    "address": ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    "thread": ("-fsanitize=thread",),
}


def nvcc() -> Path | None:
    """The CUDA compiler, if there is one."""
    home = os.environ.get("CUDA_HOME")
    if home and (Path(home) / "bin" / "nvcc").is_file():
        return Path(home) / "bin" / "nvcc"
    found = shutil.which("nvcc")
    return Path(found) if found else None


def kernel_sources() -> tuple[Path, ...]:
    """Every ``.cu`` file."""
    return tuple(sorted((source_folder() / "cuda").glob("*.cu")))


def architectures_here() -> tuple[str, ...]:
    """Those of the GPUs that the driver shows; none without a driver."""
    asked = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = {line.strip().replace(".", "") for line in said.stdout.splitlines()}
    return tuple(sorted((name for name in found if name.isdigit()), key=int))


def architectures(compiler: Path) -> tuple[str, ...]:
    """What to compile for: what was asked for, else what is here, else all of ours.

    What the compiler does not know of the latter two is left out.

    Raises:
        BuildError: Something was asked for that the compiler does not know.
    """
    listed = subprocess.run(
        [str(compiler), "--list-gpu-arch"], capture_output=True, text=True, check=False
    )
    known = {line.strip().removeprefix("compute_") for line in listed.stdout.splitlines()}
    asked = [name.strip() for name in os.environ.get("NERF_TALKER_CUDA_ARCH", "").split(",")]
    asked = [name for name in asked if name]
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise BuildError(
            f"NERF_TALKER_CUDA_ARCH names {', '.join(unknown)}; {compiler} knows "
            + ", ".join(sorted(known, key=lambda name: (len(name), name)))
        )
    here = tuple(name for name in architectures_here() if name in known)
    chosen = tuple(asked) or here or tuple(name for name in ARCHITECTURES if name in known)
    if not chosen:
        raise BuildError(f"{compiler} knows none of {', '.join(ARCHITECTURES)}; update CUDA")
    return chosen


def cuda_recipe() -> Recipe:
    """The library for CUDA GPUs.

    Raises:
        BuildError: There is no nvcc, or it does not know an architecture asked for.
    """
    compiler = nvcc()
    if compiler is None:
        raise BuildError("nvcc was not found; install the CUDA toolkit or set CUDA_HOME")
    chosen = architectures(compiler)
    codes = [f"-gencode=arch=compute_{name},code=sm_{name}" for name in chosen]
    codes.append(f"-gencode=arch=compute_{chosen[-1]},code=compute_{chosen[-1]}")
    mark = f'-DNT_SOURCES="{sources_fingerprint("cuda")}"'
    return Recipe("cuda", (str(compiler),), (*CUDA_FLAGS, *codes, mark), kernel_sources())


def emulated_recipe(sanitizer: str | None = None) -> Recipe:
    """The kernels as a library for the processor, under one of ``SANITIZERS`` if one is named.

    Raises:
        BuildError: The sources are missing.
    """
    # Fused multiply-add as on a GPU, where this processor has it.
    native = cpu_recipe("native")
    target = tuple(flag for flag in native.flags if flag.startswith("-march="))
    mark = f'-DNT_SOURCES="{sources_fingerprint("cuda")}{sources_fingerprint("emulate")}"'
    watch = (*SANITIZERS[sanitizer], "-O1", "-g") if sanitizer else ("-O2",)
    return Recipe(
        f"emulated-{sanitizer}" if sanitizer else "emulated",
        native.compiler,
        (*EMULATED_FLAGS, *target, *watch, mark),
        kernel_sources(),
        native.salt,
    )
