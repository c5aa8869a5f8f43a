"""The CUDA kernels, run on the processor, against the float64 reference."""

import functools
import math

import pytest
import torch

from nerf_talker import ops
from nerf_talker.errors import BackendError
from nerf_talker.ops import backend, reference
from tests.ops.backends import assert_near
from tests.ops.emulated import library, shared_memory

NAME = "emulated-here"
LIBRARY = functools.cache(library)
TOLERANCE = 1e-5
BOX = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.25, 1.0]])


@pytest.fixture(autouse=True)
def _emulated(monkeypatch):
    monkeypatch.setitem(backend.NATIVE, NAME, ("cpu", LIBRARY))
    with backend.using(NAME):
        yield


def packed(counts):
    counts = torch.tensor(counts, dtype=torch.int64)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    return torch.repeat_interleave(torch.arange(len(counts)), counts), offsets


def values_and_gradients(run, inputs):
    leaves = [value.clone().requires_grad_() for value in inputs]
    outputs = run(*leaves)
    generator = torch.Generator().manual_seed(7)
    weights = [torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in outputs]
    total = sum((o * w.to(o)).sum() for o, w in zip(outputs, weights, strict=True))
    return [*outputs, *torch.autograd.grad(total, leaves)]


def compare(run, *inputs):
    found = values_and_gradients(run, inputs)
    with backend.using("reference"):
        wanted = values_and_gradients(run, [value.double() for value in inputs])
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32
        assert_near(one, other, TOLERANCE)


def test_the_kernels_really_run():
    directions = torch.zeros(1, 3)
    assert backend.library_for(directions) is LIBRARY()
    assert LIBRARY().prefix == "ntc" and LIBRARY().dtypes == (torch.float32,)


@pytest.mark.parametrize("features", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("grid", [(12, 16, 400, 14), (3, 4, 17, 18), (2, 5, 40, 7)])
@pytest.mark.parametrize("count", [0, 300])
def test_triplane(grid, features, count, generator):
    layout = ops.GridLayout.geometric(*grid, features)
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(count, 3, generator=generator) * 1.4 - 0.2  # a third lies outside
    compare(lambda p, t: (ops.triplane_encode(p, t, layout),), points, table)


def test_triplane_point_does_not_depend_on_its_neighbours(generator):
    layout = ops.GridLayout.geometric(4, 8, 90, 8, 2)
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(300, 3, generator=generator)

    whole = ops.triplane_encode(points, table, layout)
    for k in (0, 255, 256, 299):
        assert torch.equal(ops.triplane_encode(points[k : k + 1], table, layout)[0], whole[k])


def test_triplane_hashed_into_a_number_that_is_no_power_of_two(generator):
    layout = ops.GridLayout((9, 60), 1000, 2)
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(300, 3, generator=generator)
    compare(lambda p, t: (ops.triplane_encode(p, t, layout),), points, table)


def test_triplane_on_corners_borders_and_beyond(generator):
    layout = ops.GridLayout((5,), 64, 2)
    table = torch.randn(layout.table_shape, generator=generator)
    line = torch.tensor([-math.inf, -1.0, 0.0, 0.25, 0.5, 1.0, 7.0, math.inf])
    points = torch.cartesian_prod(line, line, line)
    found = ops.triplane_encode(points, table, layout)
    wanted = reference.triplane_encode(
        points.clamp(0, 1).double(), table.double(), layout.resolutions, layout.entries
    )
    assert_near(found, wanted, TOLERANCE)


def test_triplane_table_that_starts_anywhere(generator):
    layout = ops.GridLayout((5, 9), 64, 4)
    shape = layout.table_shape
    memory = torch.randn(math.prod(shape) + 1, generator=generator)
    points = torch.rand(20, 3, generator=generator)
    odd = memory[1:].reshape(shape)
    assert odd.data_ptr() % 16
    assert torch.equal(
        ops.triplane_encode(points, odd, layout), ops.triplane_encode(points, odd.clone(), layout)
    )


@pytest.mark.parametrize("features", [1, 2, 5, 8])
def test_block_sums_of_coarse_levels_are_the_table_gradient(features, generator):
    layout = ops.GridLayout.geometric(3, 4, 60, 12, features)
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(9000, 3, generator=generator)[: 9000 if features == 2 else 700]

    def run(t):
        return (ops.triplane_encode(points.to(t.dtype), t, layout),)

    with shared_memory(LIBRARY(), 16 * 1024):  # two levels fit, the third does not (F = 2)
        compare(run, table)


@pytest.mark.parametrize("count", [0, 1, 300])
def test_spherical_harmonics(count, generator):
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    compare(lambda d: (ops.spherical_harmonics(d),), directions)


COUNTS = {"ragged": [3, 0, 17, 1, 40], "empty": [0, 0], "no_rays": [], "many": [5] * 300}


@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("channels", [0, 1, 3, 4, 5, 6])
def test_composite(counts, channels, generator):
    samples = sum(counts)
    ray, offsets = packed(counts)
    density = torch.rand(samples, generator=generator) * 20
    steps = torch.rand(samples, generator=generator) * 0.1
    values = torch.randn(samples, channels, generator=generator)
    compare(lambda d, v, s: ops.composite(d, v, s, ray, offsets), density, values, steps)
    compare(lambda d, s: (ops.render_weights(d, s, ray, offsets),), density, steps)


def test_composite_ends_at_an_opaque_sample_in_both_directions(generator):
    ray, offsets = packed([50, 30])
    density = torch.rand(80, generator=generator) * 30
    density[20], density[70] = 2e4, 2e4  # light ends at sample 20 of one ray, 20 of the other
    steps, values = torch.full((80,), 0.01), torch.randn(80, 3, generator=generator)
    # Not to the steps: a rounding of the light left, times a density of 20,000.
    compare(lambda d, v: ops.composite(d, v, steps.to(d), ray, offsets), density, values)
    compare(lambda d: (ops.render_weights(d, steps.to(d), ray, offsets),), density)
    leaves = [value.clone().requires_grad_() for value in (density, values, steps)]
    summed, opacity = ops.composite(*leaves, ray, offsets)
    gradients = torch.autograd.grad(summed.sum() + opacity.sum(), leaves)
    assert all(not bool(gradient[21:50].any()) for gradient in gradients)


def test_composite_marks_rays_outside_the_samples():
    density = torch.ones(4)
    offsets = torch.tensor([[0, 2], [3, 2], [-1, 1], [4, 0]])
    summed, opacity = ops.composite(
        density, density[:, None], density, torch.zeros(4).long(), offsets
    )
    assert summed[:, 0].isnan().tolist() == opacity.isnan().tolist() == [False, True, True, False]


def rays(kind, generator, count=300):
    origins = torch.randn(count, 3, generator=generator) * 0.5 + torch.tensor([0.0, 0.0, -4.0])
    targets = torch.rand(count, 3, generator=generator) * 2 - 1
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    if kind == "behind":
        directions = -directions
    elif kind == "grazing":
        origins[:, 0], directions[:, 0] = 0.999, 0
        directions = torch.nn.functional.normalize(directions, dim=-1)
    elif kind == "inside":
        origins = targets * 0.9
    elif kind == "none":
        origins, directions = origins[:0], directions[:0]
    return origins, directions


KINDS = ["usual", "behind", "grazing", "inside", "none"]


@pytest.mark.parametrize("kind", KINDS)
def test_ray_box(kind, generator):
    origins, directions = rays(kind, generator)
    near, far = ops.ray_box(origins, directions, BOX)
    wanted = reference.ray_box(origins.double(), directions.double(), BOX.double())
    hit = wanted[1] > wanted[0]
    assert torch.equal(far > near, hit) and bool(hit.any()) == (kind not in ("behind", "none"))
    assert_near(near[hit], wanted[0][hit], TOLERANCE)
    assert_near(far[hit], wanted[1][hit], TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("capacity", [0, 500, 20_000])
def test_march_into_fixed_buffers_is_the_march_as_far_as_it_fits(kind, capacity, generator):
    origins, directions = rays(kind, generator)
    near, far = ops.ray_box(origins, directions, BOX)
    cells = torch.rand(9, 9, 9, generator=generator) < 0.3
    jitter = torch.rand(len(near), generator=generator)
    given = (origins, directions, near, far, cells, BOX, 0.05, jitter)
    whole, found = ops.march(*given), ops.march_packed(*given, capacity)
    kept = min(len(whole.starts), capacity)
    assert found.totals.tolist() == [len(whole.starts), len(whole.starts) - kept, 0]
    assert torch.equal(found.ray_indices[:kept], whole.ray_indices[:kept])
    assert torch.equal(found.starts[:kept], whole.starts[:kept])
    assert int(found.used().sum()) == kept and not found.starts[kept:].any()


def test_march_counts_rays_without_an_end(generator):
    origins, directions = rays("usual", generator, 5)
    near, far = torch.zeros(5), torch.tensor([1.0, math.inf, math.nan, 1e9, -1.0])
    cells = torch.ones(4, 4, 4, dtype=torch.bool)
    given = (origins, directions, near, far, cells, BOX, 0.05, torch.zeros(5))
    assert int(ops.march_packed(*given, 100).totals[2]) == 3
    with pytest.raises(BackendError, match="3 rays that hit have no finite far"):
        ops.march(*given)


def test_a_fault_names_the_function_and_the_cuda_error():
    empty = torch.zeros(1, 3)
    function = LIBRARY()._bind("sh", torch.float32)
    assert function(empty.data_ptr(), 4, 1, torch.zeros(16).data_ptr(), 1, None) == 101
    with pytest.raises(BackendError, match=r"sh \(emulated back-end\): CUDA error 1, cudaErrorInv"):
        LIBRARY().call("sh", torch.float32, empty, 4, -1, empty)
