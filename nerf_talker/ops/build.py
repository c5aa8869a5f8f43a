"""Compiling the native libraries: one builder for ``setup.py`` and for the cache of first use.

Only the standard library is imported, and nothing of this package: an isolated build has no torch.
The libraries have a plain C interface, so neither torch's nor Python's version matters to them.

Environment: ``CXX`` names the compiler; ``NERF_TALKER_MARCH`` (``native``, ``x86-64-v4``,
``x86-64-v3``, ``x86-64-v2``) the instructions; ``XDG_CACHE_HOME`` where the cache lies.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARCHES = ("native", "x86-64-v4", "x86-64-v3", "x86-64-v2")
# AVX-512, which doubles the speed of fused rendering, and what every x86 processor since 2015 has.
PACKAGED = {"x86-64-v4": "libnerf_talker_cpu_v4", "x86-64-v3": "libnerf_talker_cpu"}

# Never -ffast-math: linked into a library it flushes denormals in the whole process (gcc < 13).
CPU_FLAGS = (
    *("-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp"),
    *("-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden"),
)

_LAST_LINES = 12  # of a compiler's complaint, enough for the first errors of one file


class BuildError(Exception):
    """The library could not be compiled; the text says why and what to do."""


@dataclass(frozen=True)
class Recipe:
    """How to compile one library.

    Attributes:
        name: Of the library.
        compiler: Its command.
        flags: Everything between the compiler and the sources.
        sources: Files to compile.
        salt: What else decides the result, such as the processor behind ``-march=native``.
    """

    name: str
    compiler: tuple[str, ...]
    flags: tuple[str, ...]
    sources: tuple[Path, ...]
    salt: str = ""


def source_folder() -> Path:
    """Where the native sources lie: inside an installed package, or beside it in a checkout."""
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "cuda_ext", here.parents[2] / "cuda_ext"):
        if (folder / "include").is_dir():
            return folder
    raise BuildError("the native sources are not installed; reinstall nerf-talker")


def sources_fingerprint(kind: str = "cpu") -> str:
    """Short hash of the sources of one kind (a folder of the native sources) and the headers."""
    folder = source_folder()
    digest = hashlib.sha256()
    for part in ("include", kind):
        for path in sorted((folder / part).iterdir()):
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cpu_recipe(march: str = "native") -> Recipe:
    """The library for processors that know ``march``; the environment overrules it.

    Raises:
        BuildError: An unknown ``NERF_TALKER_MARCH``, or the sources are missing.
    """
    march = os.environ.get("NERF_TALKER_MARCH") or march
    if march not in MARCHES:
        raise BuildError(f"NERF_TALKER_MARCH is {march!r}, needs one of {', '.join(MARCHES)}")
    target = (f"-march={march}",) if is_x86() or march == "native" else ()
    mark = f'-DNT_SOURCES="{sources_fingerprint()}"'
    return Recipe(
        "cpu",
        tuple(shlex.split(os.environ.get("CXX") or "g++")),
        (*CPU_FLAGS, *target, mark),
        tuple(sorted((source_folder() / "cpu").glob("*.cpp"))),
        _processor() if march == "native" else "",
    )


def is_x86() -> bool:
    """Whether this machine knows the x86-64 levels; others package one library without a level."""
    return platform.machine() in ("x86_64", "AMD64")


def compile_library(recipe: Recipe, target: Path) -> None:
    """Compile into ``target``, whole or not at all.

    Raises:
        BuildError: The compiler is missing or refuses.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    command = [*recipe.compiler, *recipe.flags, *map(str, recipe.sources), "-o", str(unfinished)]
    try:
        done = _run(recipe, command)
        if done.returncode:
            lines = "\n".join(done.stderr.strip().splitlines()[:_LAST_LINES])
            raise BuildError(f"compiling failed: {shlex.join(command)}\n{lines}")
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def cached_library(recipe: Recipe) -> Path:
    """The compiled library from the cache, compiled now when it is not there.

    Two processes at once build once. A killed build holds no lock and leaves only a file that the
    next one sweeps up.

    Raises:
        BuildError: The compiler is missing or refuses, or the cache cannot be written.
    """
    key = _key(recipe)
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / f"{recipe.name}-{key}.so"
        if library.is_file():
            return library
        with _locked(folder / f"{recipe.name}-{key}.lock"):
            if not library.is_file():
                for rest in folder.glob(f".{library.name}.*"):
                    rest.unlink(missing_ok=True)
                compile_library(recipe, library)
    except OSError as error:
        raise BuildError(f"the cache cannot be written: {error}; set XDG_CACHE_HOME") from error
    return library


def cache_folder() -> Path:
    """Where compiled libraries are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nerf-talker" / "native"


def _key(recipe: Recipe) -> str:
    version = _run(recipe, [*recipe.compiler, "--version"])
    digest = hashlib.sha256()
    parts = (*recipe.compiler, *recipe.flags, recipe.salt, version.stdout, platform.machine())
    for part in parts:
        digest.update(part.encode() + b"\0")
    for path in recipe.sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def _run(recipe: Recipe, command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        tool = recipe.compiler[0]
        raise BuildError(f"{tool}: {error.strerror}") from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that the kernel frees when this process ends, however it ends."""
    import fcntl  # absent on Windows, where setup.py must still be able to import this module

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _processor() -> str:
    """Model and features of this machine's processor."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "CPU part", "Features")
    lines = {line for line in text.splitlines() if line.startswith(wanted)}
    return "\n".join(sorted(lines))
