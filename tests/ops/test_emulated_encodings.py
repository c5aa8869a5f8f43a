"""The CUDA kernels of the encodings beside the tri-plane, run on the processor."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.ops import backend
from tests.ops.emulated import shared_memory
from tests.ops.test_emulated_kernels import LIBRARY, NAME, compare


@pytest.fixture(autouse=True)
def _emulated(monkeypatch):
    monkeypatch.setitem(backend.NATIVE, NAME, ("cpu", LIBRARY))
    with backend.using(NAME):
        yield


@pytest.mark.parametrize("features", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("entries", [256, 300])
def test_grid(features, dimensions, tiled, entries, generator):
    layout = ops.LatticeLayout((4, 17, 60), entries, features, dimensions, tiled)
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(270, dimensions, generator=generator) * 1.4 - 0.2
    compare(lambda p, t: (ops.grid_encode(p, t, layout),), points, table)


@pytest.mark.parametrize("features", [2, 3])
def test_block_sums_of_a_grid_are_the_table_gradient(features, generator):
    layout = ops.LatticeLayout((4, 9, 40), 4096, features)
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(600, 3, generator=generator)

    def run(t):
        return (ops.grid_encode(points.to(t.dtype), t, layout),)

    with shared_memory(LIBRARY(), 16 * 1024):  # two levels fit, the third does not
        compare(run, table)
