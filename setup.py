"""Build description: two top-level folders are installed under the ``nerf_talker`` name.

``preprocess`` and ``cuda_ext`` live at the top of the repository but import as
``nerf_talker.preprocess`` and ``nerf_talker.cuda_ext``: the bare names are too general to claim.

The native library is compiled when a C++ compiler is there; without one the install succeeds, and
the package says at run time what it lacks. ``NERF_TALKER_CUDA`` says whether the CUDA library is
compiled too: ``1`` always, ``0`` never, ``auto`` where nvcc and a GPU are there.
"""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

PACKAGES = [
    *find_packages(include=["nerf_talker", "nerf_talker.*"]),
    "nerf_talker.preprocess",
    "nerf_talker.preprocess.stages",
    "nerf_talker.cuda_ext",
    "nerf_talker.configs",
]

ROOT = Path(__file__).resolve().parent


def builder(name: str) -> ModuleType:
    """One of the package's own builders, without what its package imports.

    An isolated build has no torch, so empty packages stand in for those that would import it.
    """
    for package in ("nerf_talker", "nerf_talker.ops"):
        if package not in sys.modules:
            stand_in = ModuleType(package)
            stand_in.__path__ = [str(ROOT.joinpath(*package.split(".")))]
            sys.modules[package] = stand_in
    return importlib.import_module(f"nerf_talker.ops.{name}")


BUILD, CUDA = builder("build"), builder("cuda_build")
MARCH_OF = {f"nerf_talker.ops.{name}": march for march, name in BUILD.PACKAGED.items()}
CUDA_LIBRARY = f"nerf_talker.ops.{CUDA.PACKAGED}"


def cuda_wanted() -> bool:
    """Whether the CUDA library is compiled now."""
    choice = os.environ.get("NERF_TALKER_CUDA") or "auto"
    if choice not in ("auto", "0", "1"):
        raise SystemExit(f"NERF_TALKER_CUDA is {choice!r}, needs one of auto, 0, 1")
    if choice == "auto":
        return CUDA.nvcc() is not None and bool(CUDA.architectures_here())
    return choice == "1"


def libraries() -> list[str]:
    """Names of the libraries to compile."""
    names = list(MARCH_OF) if BUILD.is_x86() else list(MARCH_OF)[-1:]
    return [*names, CUDA_LIBRARY] if cuda_wanted() else names


class BuildNative(build_ext):
    """Compiles with the builder that the package itself uses on first use."""

    def get_ext_filename(self, fullname: str) -> str:
        """A plain library for ctypes, without the interpreter's version in its name."""
        return str(Path(*fullname.split("."))) + ".so"

    def build_extension(self, ext: Extension) -> None:
        """Compile, or raise the one error that ``optional`` forgives."""
        target = Path(self.get_ext_fullpath(ext.name))
        cuda = ext.name == CUDA_LIBRARY
        try:
            recipe = CUDA.cuda_recipe() if cuda else BUILD.cpu_recipe(MARCH_OF[ext.name])
            BUILD.compile_library(recipe, target)
        except (BUILD.BuildError, OSError) as error:
            raise CompileError(str(error)) from error


setup(
    packages=PACKAGES,
    include_package_data=False,
    package_dir={
        "nerf_talker.preprocess": "preprocess",
        "nerf_talker.cuda_ext": "cuda_ext",
        "nerf_talker.configs": "configs",
    },
    package_data={
        "nerf_talker": ["**/*.html", "**/*.npz", "**/*.json", "**/*.safetensors", "audio/*.md"],
        "nerf_talker.preprocess": ["*.html"],
        "nerf_talker.configs": ["*.yaml", "benchmarks/*.yaml"],
        "nerf_talker.cuda_ext": ["*/*.h", "cpu/*.cpp", "cuda/*.cu"],
    },
    ext_modules=[Extension(name, sources=[], optional=True) for name in libraries()],
    cmdclass={"build_ext": BuildNative},
)
