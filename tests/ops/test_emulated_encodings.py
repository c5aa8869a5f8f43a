"""The CUDA kernels of the encodings beside the tri-plane, run on the processor."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.ops import backend
from tests.ops.emulated import shared_memory
from tests.ops.test_emulated_kernels import LIBRARY, NAME, compare, packed


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


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 300])
def test_harmonics_of_a_degree(degree, count, generator):
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    compare(lambda d: (ops.spherical_harmonics(d, degree),), directions)


@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("octaves", [0, 6])
@pytest.mark.parametrize("coordinates", [1, 3])
def test_frequencies(identity, octaves, coordinates, generator):
    points = torch.randn(300, coordinates, generator=generator)
    compare(lambda p: (ops.frequency_encode(p, octaves, identity),), points)


@pytest.mark.parametrize("counts", [[3, 0, 17, 1, 40], [], [5] * 300])
def test_distortion(counts, generator):
    weights = torch.rand(sum(counts), generator=generator)
    lengths = torch.rand(sum(counts), generator=generator) * 0.1
    middles = lengths.cumsum(0)

    def run(w):
        return (ops.ray_distortion(w, middles.to(w), lengths.to(w), *packed(counts)),)

    compare(run, weights)


@pytest.mark.parametrize("features", [1, 2, 3, 8])
def test_half_tables(features, generator):
    layout = ops.LatticeLayout((4, 17, 60), 300, features)
    table = torch.randn(layout.table_shape, generator=generator).half()
    points = torch.rand(270, 3, generator=generator)
    compare(lambda p: (ops.grid_encode(p, table, layout),), points)
