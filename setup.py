"""Build description: two top-level folders are installed under the ``nerf_talker`` name.

``preprocess`` and ``cuda_ext`` live at the top of the repository but import as
``nerf_talker.preprocess`` and ``nerf_talker.cuda_ext``: the bare names are too general to claim.

The native library is compiled when a C++ compiler is there; without one the install succeeds, and
the package says at run time what it lacks.
"""

import importlib.util
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

OPS = Path(__file__).resolve().parent / "nerf_talker" / "ops"


def builder() -> ModuleType:
    """The package's own builder, loaded by path: an isolated build has none of its imports."""
    spec = importlib.util.spec_from_file_location("nerf_talker_build", OPS / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BUILD = builder()
MARCH_OF = {f"nerf_talker.ops.{name}": march for march, name in BUILD.PACKAGED.items()}
LIBRARIES = list(MARCH_OF) if BUILD.is_x86() else list(MARCH_OF)[-1:]


class BuildNative(build_ext):
    """Compiles with the builder that the package itself uses on first use."""

    def get_ext_filename(self, fullname: str) -> str:
        """A plain library for ctypes, without the interpreter's version in its name."""
        return str(Path(*fullname.split("."))) + ".so"

    def build_extension(self, ext: Extension) -> None:
        """Compile, or raise the one error that ``optional`` forgives."""
        target = Path(self.get_ext_fullpath(ext.name))
        try:
            BUILD.compile_library(BUILD.cpu_recipe(MARCH_OF[ext.name]), target)
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
        "nerf_talker": ["**/*.html", "**/*.npz", "**/*.json"],
        "nerf_talker.preprocess": ["*.html"],
        "nerf_talker.configs": ["*.yaml"],
        "nerf_talker.cuda_ext": ["*/*.h", "cpu/*.cpp", "cuda/*.cu"],
    },
    ext_modules=[Extension(name, sources=[], optional=True) for name in LIBRARIES],
    cmdclass={"build_ext": BuildNative},
)
