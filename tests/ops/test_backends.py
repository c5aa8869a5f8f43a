"""Every back-end against the float64 reference: values and gradients, one body for all."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.ops import reference
from nerf_talker.ops.backend import using
from tests.ops.backends import assert_near, computes, device_of, tolerance, triplane_tolerance

DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["f64", "f32"])
GRIDS = {
    "hashed": (5, 8, 90, 8, 2),
    "dense": (3, 4, 17, 18, 4),
    "one_feature": (12, 16, 400, 14, 1),
    "three_features": (4, 4, 33, 7, 3),
}
COUNTS = {"ragged": [3, 0, 17, 1, 40], "empty": [0, 0], "no_rays": [], "one": [1], "long": [90]}


def drawn(name, dtype, *tensors):
    """Rounded to the dtype, on the back-end's device; and the same values in float64."""
    if not computes(name, dtype):
        pytest.skip(f"back-end {name} does not compute in {dtype}")
    rounded = [value.to(dtype) for value in tensors]
    return [v.to(device_of(name)) for v in rounded], [v.double() for v in rounded]


def values_and_gradients(run, inputs):
    """Outputs and the gradients of their sum under fixed random weights."""
    leaves = [value.clone().requires_grad_() for value in inputs]
    outputs = run(*leaves)
    generator = torch.Generator().manual_seed(7)
    weights = [torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in outputs]
    total = sum((o * w.to(o)).sum() for o, w in zip(outputs, weights, strict=True))
    return [*outputs, *torch.autograd.grad(total, leaves)]


def compare(name, dtype, run, wanted_run, *tensors, within=None):
    inputs, double = drawn(name, dtype, *tensors)
    found = values_and_gradients(run, inputs)
    with using("reference"):
        wanted = values_and_gradients(wanted_run, double)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == dtype
        assert_near(one, other, within or tolerance(dtype))


@DTYPES
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("count", [0, 1, 63, 700])
def test_triplane_encode(backend, dtype, grid, count, generator):
    layout = ops.GridLayout.geometric(*grid)
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(count, 3, generator=generator) * 1.4 - 0.2  # a third lies outside

    def run(p, t):
        return (ops.triplane_encode(p, t, layout),)

    within = triplane_tolerance(backend, dtype)
    compare(backend, dtype, run, run, points, table, within=within)


@DTYPES
def test_triplane_gradient_reaches_only_what_asks(backend, dtype, generator):
    layout = ops.GridLayout.geometric(*GRIDS["hashed"])
    table = torch.randn(layout.table_shape, generator=generator)
    (points, table), _ = drawn(backend, dtype, torch.rand(9, 3, generator=generator), table)
    both = values_and_gradients(lambda p, t: (ops.triplane_encode(p, t, layout),), [points, table])
    (_, only) = values_and_gradients(lambda t: (ops.triplane_encode(points, t, layout),), [table])
    assert_near(only, both[2].cpu(), 0)
    (_, only) = values_and_gradients(lambda p: (ops.triplane_encode(p, table, layout),), [points])
    assert_near(only, both[1].cpu(), 0)


@DTYPES
@pytest.mark.parametrize("count", [0, 1, 65])
def test_spherical_harmonics(backend, dtype, count, generator):
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)

    def run(d):
        return (ops.spherical_harmonics(d),)

    compare(backend, dtype, run, run, directions)


def packed(counts, device):
    counts = torch.tensor(counts, dtype=torch.int64, device=device)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    return torch.repeat_interleave(torch.arange(len(counts), device=device), counts), offsets


@DTYPES
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("channels", [0, 1, 6])
def test_composite(backend, dtype, counts, channels, generator):
    samples = sum(counts)
    density = torch.rand(samples, generator=generator) * 20
    values = torch.randn(samples, channels, generator=generator)
    steps = torch.rand(samples, generator=generator) * 0.1

    def run(d, v, s):
        return ops.composite(d, v, s, *packed(counts, d.device))

    compare(backend, dtype, run, run, density, values, steps)


@DTYPES
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
def test_render_weights(backend, dtype, counts, generator):
    density = torch.rand(sum(counts), generator=generator) * 20
    steps = torch.rand(sum(counts), generator=generator) * 0.1

    def run(d, s):
        return (ops.render_weights(d, s, *packed(counts, d.device)),)

    compare(backend, dtype, run, run, density, steps)


def rays(kind, generator):
    """Origins and directions; the box is [-1, 1] with one side moved."""
    origins = torch.randn(200, 3, generator=generator) * 0.5 + torch.tensor([0.0, 0.0, -4.0])
    targets = torch.rand(200, 3, generator=generator) * 2 - 1
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    if kind == "behind":
        directions = -directions
    elif kind == "grazing":  # along a face, from a corner, parallel to an axis
        origins[:, 0], directions[:, 0] = 0.999, 0
        directions = torch.nn.functional.normalize(directions, dim=-1)
    elif kind == "inside":
        origins = targets * 0.9
        directions = torch.nn.functional.normalize(origins.roll(1, 0) - origins, dim=-1)
    elif kind == "missing":
        origins = origins + torch.tensor([0.0, 9.0, 0.0])
    elif kind == "axis":
        directions = torch.tensor([0.0, 0.0, 1.0]).repeat(200, 1)
    elif kind == "none":
        origins, directions = origins[:0], directions[:0]
    return origins, directions, torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.25, 1.0]])


KINDS = ["usual", "behind", "grazing", "inside", "missing", "axis", "none"]


@DTYPES
@pytest.mark.parametrize("kind", KINDS)
def test_ray_box(backend, dtype, kind, generator):
    inputs, double = drawn(backend, dtype, *rays(kind, generator))
    near, far = ops.ray_box(*inputs)
    wanted_near, wanted_far = reference.ray_box(*double)
    hit = wanted_far > wanted_near
    assert torch.equal((far > near).cpu(), hit)
    assert_near(near.cpu()[hit], wanted_near[hit], tolerance(dtype))
    assert_near(far.cpu()[hit], wanted_far[hit], tolerance(dtype))
    assert (kind in ("behind", "missing", "none")) == (not hit.any())


@DTYPES
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("resolution", [1, 7, 32])
@pytest.mark.parametrize("full", [0.0, 0.1, 1.0])
def test_march(backend, dtype, kind, resolution, full, generator):
    origins, directions, box = rays(kind, generator)
    jitter = torch.rand(len(origins), generator=generator)
    inputs, double = drawn(backend, dtype, origins, directions, box, jitter)
    cells = torch.rand(resolution, resolution, resolution, generator=generator) < full
    cells = cells.to(inputs[0].device)
    o, d, b, j = inputs
    near, far = ops.ray_box(o, d, b)
    found = ops.march(o, d, near, far, cells, b, 0.03, j)
    o, d, b, j = double
    near, far = near.cpu().double(), far.cpu().double()
    ray, start, offsets = reference.march(o, d, near, far, cells.cpu(), b, 0.03, j)
    assert found.starts.dtype == dtype and found.ray_indices.dtype == torch.int64
    assert found.ray_offsets.shape == (len(o), 2)
    if dtype == torch.float64:
        assert torch.equal(found.ray_indices.cpu(), ray)
        assert torch.equal(found.ray_offsets.cpu(), offsets)
        assert_near(found.starts, start, 1e-12)
    else:  # a sample within a rounding of a cell's border may fall to either side
        apart = (found.ray_offsets[:, 1].cpu() - offsets[:, 1]).abs()
        assert int(apart.sum()) <= 1e-3 * len(ray)
    total = found.ray_offsets[:, 1].sum()
    assert int(total) == len(found.starts) == len(found.ray_indices)


def test_autocast_and_half_precision_arrive_as_float32(backend, generator):
    device = device_of(backend)
    directions = torch.randn(4, 3, generator=generator).to(device, torch.bfloat16)
    with torch.autocast(device, torch.bfloat16):
        assert ops.spherical_harmonics(directions).dtype == torch.float32
        half = torch.ones(3, device=device, dtype=torch.bfloat16)
        packing = packed([3], device)
        summed, opacity = ops.composite(half, half[:, None], half, *packing)
        assert summed.dtype == opacity.dtype == torch.float32


def test_strided_inputs_are_no_trap(backend, generator):
    device = device_of(backend)
    wide = torch.randn(40, 6, generator=generator).to(device)
    assert torch.equal(
        ops.spherical_harmonics(wide[::2, ::2]),
        ops.spherical_harmonics(wide[::2, ::2].contiguous()),
    )
    layout = ops.GridLayout.geometric(*GRIDS["hashed"])
    table = torch.randn(layout.table_shape, generator=generator).to(device)
    gradients = []
    for spread in (lambda x: x, lambda x: x.t().contiguous().t()):
        leaf = table.clone().requires_grad_()
        encoded = ops.triplane_encode(wide[:, :3].abs().frac(), leaf, layout)
        encoded.backward(spread(torch.ones_like(encoded)))
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)
