"""The emulated CUDA kernels as the tests use them."""

import contextlib
import os

from nerf_talker.ops.build import cached_library
from nerf_talker.ops.cuda_build import emulated_recipe
from nerf_talker.ops.cuda_kernels import KernelLibrary

# Set for the runs that tests/ops/test_emulated_sanitized.py starts.
SANITIZER = "NERF_TALKER_TEST_SANITIZER"


def library():
    recipe = emulated_recipe(os.environ.get(SANITIZER))
    return KernelLibrary("emulated", cached_library(recipe))


@contextlib.contextmanager
def shared_memory(emulated, size):
    """Give the emulated device shared memory, so that kernels whose threads share it are run."""
    emulated.handle.ntc_emulate_shared(size)
    try:
        yield
    finally:
        emulated.handle.ntc_emulate_shared(0)
