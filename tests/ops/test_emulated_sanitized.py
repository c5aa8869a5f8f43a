"""The emulated kernels once more, under the sanitizers of the compiler.

``address`` (with undefined behaviour) sees every read and write outside a buffer; ``thread`` sees
the races of kernels whose threads share memory, such as a barrier that is not there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nerf_talker.ops.build import BuildError, cached_library
from nerf_talker.ops.cuda_build import emulated_recipe
from tests.ops.emulated import SANITIZER

HERE = Path(__file__).parent
FILES = ["test_emulated_kernels.py", "test_emulated_encodings.py", "test_emulated_fused.py"]
RUNTIMES = {"address": "libasan.so", "thread": "libtsan.so"}
SETTINGS = {
    "ASAN_OPTIONS": "detect_leaks=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    # Python and torch are not instrumented: what only they do is not looked at.
    "TSAN_OPTIONS": "ignore_noninstrumented_modules=1",
}


def preloaded(sanitizer):
    """What must be loaded before Python: the sanitizer and the library whose throw it wraps."""
    compiler = emulated_recipe(sanitizer).compiler
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not here")
    found = []
    for name in (RUNTIMES[sanitizer], "libstdc++.so.6"):
        asked = [*compiler, f"-print-file-name={name}"]
        path = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        if not Path(path).is_file():
            pytest.skip(f"{compiler[0]} has no {name}")
        found.append(path)
    return " ".join(found)


def run(sanitizer, arguments):
    """Python under a sanitizer, on the library that it watches."""
    preload = preloaded(sanitizer)
    try:
        cached_library(emulated_recipe(sanitizer))
    except BuildError as error:
        pytest.skip(f"no library under the {sanitizer} sanitizer: {error}")
    settings = {**os.environ, **SETTINGS, SANITIZER: sanitizer, "LD_PRELOAD": preload}
    settings.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=settings,
        cwd=HERE.parents[1],
        timeout=600,
    )
    said = done.stdout + done.stderr
    if "FATAL: ThreadSanitizer: unexpected memory mapping" in said:
        pytest.skip("this kernel's address layout is not one the thread sanitizer knows")
    return done.returncode, said


@pytest.mark.parametrize("sanitizer", RUNTIMES)
def test_the_kernels_are_clean(sanitizer):
    arguments = ["-m", "pytest", "-p", "no:xdist", "-x", "-s", *(str(HERE / f) for f in FILES)]
    if sanitizer == "thread":  # only there do threads work together; the usual size takes long
        arguments += ["-k", "block and not usual"]
    code, said = run(sanitizer, arguments)
    assert code == 0, said[-6000:]
    assert "passed" in said and "Sanitizer" not in said and "runtime error" not in said


FAULT = """
import torch
from tests.ops.emulated import library
library().call("sh", torch.float32, torch.zeros(9, 3), 4, {rays}, torch.zeros(9, 16))
print("ran")
"""


def test_an_overrun_would_be_noticed():
    code, said = run("address", ["-c", FAULT.format(rays=9)])
    assert code == 0 and "ran" in said, said[-2000:]
    code, said = run("address", ["-c", FAULT.format(rays=10)])
    assert code != 0 and "heap-buffer-overflow" in said and "encodings.cu" in said
