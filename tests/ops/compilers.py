"""Compilers that stand in for g++ and nvcc: quick, slow or refusing.

The quick ones compile nothing but ``about.cpp`` and ``about.cu``, what a loader asks first: enough
for everything around the compiler.
"""

import os
import shutil
import sys

import pytest

QUICK = """#!{python}
import os, pathlib, subprocess, sys, time
given = sys.argv[1:]
if "--list-gpu-arch" in given:
    print("compute_80\\ncompute_90")
elif "--version" in given:
    print("a stand-in")
else:
    target = given[given.index("-o") + 1]
    with open(__file__ + ".log", "a") as log:
        print(*given, file=log)
    if {seconds}:
        pathlib.Path(target).write_bytes(b"half a library")
        time.sleep({seconds})
    if {refuses}:
        sys.exit("stand-in: error: refused")
    marks = [part for part in given if part.startswith(("-D", "-march"))]
    source = [part for part in given if "about.c" in part]
    flags = "-x c++ -std=c++17 -DNT_EMULATED -shared -fPIC -fvisibility=hidden".split()
    sys.exit(subprocess.call(["g++", *flags, *marks, *source, "-o", target]))
"""


def stand_in(path, seconds=0, refuses=False):
    """Write a compiler to ``path``; it logs its arguments beside itself, one call a line."""
    if not shutil.which("g++"):
        pytest.skip("g++ is not here")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(QUICK.format(python=sys.executable, seconds=seconds, refuses=refuses))
    path.chmod(0o755)
    return path


def calls(compiler):
    """The arguments of each compilation so far."""
    log = compiler.with_name(compiler.name + ".log")
    return log.read_text().splitlines() if log.is_file() else []


def environment(**changed):
    """This process's environment without what decides a build, then changed."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("NERF_TALKER_")}
    for name in ("CXX", "CUDA_HOME"):
        kept.pop(name, None)
    return {**kept, **{name: str(value) for name, value in changed.items()}}
