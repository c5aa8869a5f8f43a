"""Laws of the operators on shapes and rays that nobody chose, on every back-end."""

import math

import pytest
import torch

hypothesis = pytest.importorskip(
    "hypothesis", reason="hypothesis is not here: pip install -e .[dev]"
)

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from nerf_talker import ops  # noqa: E402
from nerf_talker.ops.backend import using  # noqa: E402
from tests.ops.backends import assert_near, computes, device_of, tolerance  # noqa: E402
from tests.ops.test_backends import packed  # noqa: E402

LAW = settings(
    deadline=None,
    max_examples=20,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SEEDS = st.integers(0, 2**31)


@st.composite
def layouts(draw):
    """Grids of any number of levels, with tables of any size, powers of two or not."""
    dimensions = draw(st.sampled_from([2, 3]))
    levels = draw(st.integers(1, 16))
    finest = 200 if dimensions == 2 else 60
    resolutions = draw(st.lists(st.integers(2, finest), min_size=levels, max_size=levels))
    entries = draw(st.one_of(st.integers(1, 5000), st.sampled_from([1, 16, 256, 4096])))
    features = draw(st.sampled_from([1, 2, 3, 4, 8]))
    return ops.LatticeLayout(tuple(resolutions), entries, features, dimensions, draw(st.booleans()))


POINTS = st.sampled_from([0, 1, 2, 63, 64, 65, 200])
# Samples of each ray.
RAGGED = st.lists(st.sampled_from([0, 1, 2, 5, 31]), max_size=12)


def scene(name, layout, count, seed, dtype=torch.float32):
    """Points, some outside, and a table, on the back-end's device."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(count, layout.dimensions, generator=generator) * 1.2 - 0.1
    table = torch.randn(layout.table_shape, generator=generator)
    return points.to(device_of(name), dtype), table.to(device_of(name), dtype)


@LAW
@given(layout=layouts(), count=POINTS, seed=SEEDS)
def test_any_grid_is_the_reference_s(backend, layout, count, seed):
    points, table = scene(backend, layout, count, seed)
    points.requires_grad_()
    table.requires_grad_()
    found = ops.grid_encode(points, table, layout)
    (gradient,) = torch.autograd.grad(found.square().sum(), [table])
    with using("reference"):
        double = [v.detach().cpu().double().requires_grad_() for v in (points, table)]
        wanted = ops.grid_encode(*double, layout)
        (wanted_gradient,) = torch.autograd.grad(wanted.square().sum(), double[1:])
    assert_near(found, wanted, tolerance(torch.float32))
    assert_near(gradient, wanted_gradient, tolerance(torch.float32))


@LAW
@given(layout=layouts(), count=POINTS, seed=SEEDS)
def test_position_gradients_in_double(backend, layout, count, seed):
    """In float32 a point beside a cell's border may fall to either side, and its slope jumps."""
    if not computes(backend, torch.float64):
        pytest.skip(f"back-end {backend} does not compute in float64")
    points, table = scene(backend, layout, count, seed, torch.float64)
    gradients = []
    for name in (backend, "reference"):
        with using(name):
            leaf = points.clone().requires_grad_()
            encoded = ops.grid_encode(leaf, table, layout)
            gradients += torch.autograd.grad(encoded.square().sum(), [leaf])
    # Entries that differ little leave a slope far below the terms it is the difference of.
    terms = max(layout.resolutions) * float(table.abs().max()) ** 2
    apart = float((gradients[0].cpu() - gradients[1].cpu()).abs().max()) if count else 0.0
    assert apart <= 1e-12 * terms


@LAW
@given(layout=layouts(), count=POINTS, seed=SEEDS)
def test_a_constant_table_encodes_to_the_constant(backend, layout, count, seed):
    """The corners' weights sum to one, whatever they are stored under."""
    points, table = scene(backend, layout, count, seed)
    encoded = ops.grid_encode(points, torch.full_like(table, 0.75), layout)
    torch.testing.assert_close(encoded, torch.full_like(encoded, 0.75), rtol=1e-6, atol=0)


@LAW
@given(layout=layouts(), count=POINTS, seed=SEEDS)
def test_encoding_is_linear_in_the_table(backend, layout, count, seed):
    points, table = scene(backend, layout, count, seed)
    _, other = scene(backend, layout, count, seed + 1)
    together = ops.grid_encode(points, 2 * table - other, layout)
    apart = 2 * ops.grid_encode(points, table, layout) - ops.grid_encode(points, other, layout)
    assert_near(together, apart.cpu(), 1e-5)


def density_and_steps(name, counts, seed):
    generator = torch.Generator().manual_seed(seed)
    size = sum(counts)
    density = torch.rand(size, generator=generator) * 60
    steps = torch.rand(size, generator=generator) * 0.1
    return density.to(device_of(name)), steps.to(device_of(name))


@LAW
@given(counts=RAGGED, seed=SEEDS)
def test_weights_and_leftover_light_sum_to_one(backend, counts, seed):
    density, steps = density_and_steps(backend, counts, seed)
    ray, offsets = packed(counts, density.device)
    weights = ops.render_weights(density, steps, ray, offsets)
    zero = density.new_zeros(len(counts)).double()
    depth = zero.index_add(0, ray, (density * steps).double())
    total = zero.index_add(0, ray, weights.double()) + torch.exp(-depth)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=3e-6)
    _, opacity = ops.composite(density, density[:, None], steps, ray, offsets)
    torch.testing.assert_close(opacity.double(), 1 - torch.exp(-depth), rtol=0, atol=3e-6)


@LAW
@given(counts=RAGGED, density=st.floats(0, 500), step=st.floats(1e-4, 0.1))
def test_constant_density_has_its_closed_form(backend, counts, density, step):
    device = device_of(backend)
    ray, offsets = packed(counts, device)
    flat = torch.full((sum(counts),), density, device=device)
    weights = ops.render_weights(flat, torch.full_like(flat, step), ray, offsets)
    place = torch.cat([torch.arange(count) for count in counts] or [torch.zeros(0)]).double()
    wanted = -math.expm1(-density * step) * torch.exp(-density * step * place)
    torch.testing.assert_close(weights.cpu().double(), wanted, rtol=2e-5, atol=1e-6)


@LAW
@given(counts=RAGGED, seed=SEEDS, shift=st.floats(-2, 2))
def test_distortion_does_not_see_where_a_ray_begins(backend, counts, seed, shift):
    weights, lengths = density_and_steps(backend, counts, seed)
    packing = packed(counts, weights.device)
    middles = lengths.cumsum(0)
    found = ops.ray_distortion(weights / 60, middles + shift, lengths, *packing)
    assert bool((found >= 0).all())
    wanted = ops.ray_distortion(weights / 60, middles, lengths, *packing)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@LAW
@given(
    rays=st.sampled_from([0, 1, 40]),
    resolution=st.integers(1, 20),
    full=st.sampled_from([0.0, 0.2, 1.0]),
    back=st.integers(0, 50),
    seed=SEEDS,
)
def test_march_does_not_see_where_a_ray_begins(backend, rays, resolution, full, back, seed):
    """An origin moved back by whole steps moves every start by as much and keeps the samples."""
    generator = torch.Generator().manual_seed(seed)
    device, step = device_of(backend), 1 / 16
    origins = torch.randn(rays, 3, generator=generator) * 0.5 - torch.tensor([0.0, 0.0, 4.0])
    directions = torch.nn.functional.normalize(
        torch.rand(rays, 3, generator=generator) - 0.5 - origins, dim=-1
    )
    cells = torch.rand((resolution,) * 3, generator=generator) < full
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    jitter = torch.rand(rays, generator=generator)
    o, d, c, b, j = (v.to(device) for v in (origins, directions, cells, box, jitter))
    near, far = ops.ray_box(o, d, b)
    found = ops.march(o, d, near, far, c, b, step, j)
    again = ops.march(o - back * step * d, d, near + back * step, far + back * step, c, b, step, j)
    # In float32 a sample within a rounding of a cell's border may fall to either side.
    apart = (found.ray_offsets[:, 1] - again.ray_offsets[:, 1]).abs()
    assert int(apart.sum()) <= max(2, 0.01 * len(found.starts))
    if not int(apart.sum()):
        assert torch.equal(found.ray_indices, again.ray_indices)
        torch.testing.assert_close(again.starts, found.starts + back * step, rtol=0, atol=1e-4)
    capacity = len(found.starts) // 2
    part = ops.march_packed(o, d, near, far, c, b, step, j, capacity)
    assert part.totals.tolist() == [len(found.starts), len(found.starts) - capacity, 0]
    assert torch.equal(part.starts, found.starts[:capacity])
