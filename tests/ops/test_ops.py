"""Laws of the operators on every back-end, in float64 where a gradient is compared."""

import math

import pytest
import torch

from nerf_talker import ops
from nerf_talker.ops import reference
from nerf_talker.ops.reference_grid import corner_index, grid_lookup, plane_dense

pytestmark = pytest.mark.usefixtures("backend")

BOX = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]], dtype=torch.float64)


def packed(counts):
    counts = torch.tensor(counts, dtype=torch.int64)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    return torch.repeat_interleave(torch.arange(len(counts)), counts), offsets


@pytest.mark.parametrize("counts", [[0], [1], [3, 0, 7], [0, 0, 4]])
def test_weights_and_leftover_transmittance_sum_to_one(counts, generator):
    ray, offsets = packed(counts)
    density = torch.rand(len(ray), generator=generator, dtype=torch.float64) * 5
    steps = torch.rand(len(ray), generator=generator, dtype=torch.float64)
    _, opacity = ops.composite(density, density[:, None], steps, ray, offsets)
    depth = torch.zeros(len(counts), dtype=torch.float64).index_add(0, ray, density * steps)
    torch.testing.assert_close(opacity, 1 - torch.exp(-depth))


def test_constant_density_has_its_closed_form():
    ray, offsets = packed([50])
    density = torch.full((50,), 2.0, dtype=torch.float64)
    steps = torch.full((50,), 0.01, dtype=torch.float64)
    middle = (torch.arange(50, dtype=torch.float64) + 0.5) * 0.01
    weights = ops.render_weights(density, steps, ray, offsets)
    alpha = 1 - math.exp(-0.02)
    torch.testing.assert_close(weights, alpha * torch.exp(-2.0 * (middle - 0.005)))


def test_composite_is_linear_in_values_and_matches_a_loop(generator):
    ray, offsets = packed([4, 0, 9])
    density = torch.rand(13, generator=generator, dtype=torch.float64) * 3
    steps = torch.rand(13, generator=generator, dtype=torch.float64)
    values = torch.rand(13, 5, generator=generator, dtype=torch.float64)
    summed, _ = ops.composite(density, values, steps, ray, offsets)
    for index, (first, count) in enumerate(offsets.tolist()):
        left, total = 1.0, torch.zeros(5, dtype=torch.float64)
        for k in range(first, first + count):
            alpha = 1 - math.exp(-float(density[k] * steps[k]))
            total, left = total + left * alpha * values[k], left * (1 - alpha)
        torch.testing.assert_close(summed[index], total)
    doubled, _ = ops.composite(density, 2 * values, steps, ray, offsets)
    torch.testing.assert_close(doubled, 2 * summed)


def test_composite_gradients_are_numeric_ones(generator):
    ray, offsets = packed([2, 0, 3])
    density = (torch.rand(5, generator=generator).double() * 3).requires_grad_()
    values = torch.rand(5, 2, generator=generator).double().requires_grad_()
    steps = torch.rand(5, generator=generator).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda d, v, s: ops.composite(d, v, s, ray, offsets), (density, values, steps)
    )


def test_float32_composite_survives_a_hundred_thousand_opaque_samples():
    ray, offsets = packed([10] * 10_000)
    density = torch.full((100_000,), 9e4)
    weights = ops.render_weights(density, torch.full((100_000,), 0.006), ray, offsets)
    assert bool((weights.reshape(-1, 10)[:, 0] == 1).all())
    assert float(weights.reshape(-1, 10)[:, 1:].abs().max()) == 0


def test_small_grid_reproduces_bilinear_interpolation(generator):
    layout = ops.GridLayout((5,), 64, 3)
    table = torch.rand(layout.table_shape, generator=generator).double()
    corner = torch.tensor([[0.25, 0.5, 1.0]]).double()
    encoded = ops.triplane_encode(corner, table, layout).reshape(3, 3)
    for plane, (u, v) in enumerate(reference.PLANE_AXES):
        column, row = round(float(corner[0, u]) * 4), round(float(corner[0, v]) * 4)
        torch.testing.assert_close(encoded[plane], table[plane, row * 5 + column])


@pytest.mark.parametrize("log2_entries", [4, 18], ids=["hashed", "dense"])
def test_encoding_gradients_are_numeric_ones(log2_entries, generator):
    layout = ops.GridLayout.geometric(3, 4, 9, log2_entries, 2)
    table = torch.rand(layout.table_shape, generator=generator).double().requires_grad_()
    points = (torch.rand(4, 3, generator=generator).double() * 0.9 + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, t: ops.triplane_encode(p, t, layout), (points, table))


def test_hashed_and_dense_levels_agree_where_nothing_collides(generator):
    points = torch.rand(3, 20, 2, generator=generator).double()
    dense = torch.rand(3, 36, 2, generator=generator).double()
    entries = 4096
    table = torch.zeros(3, entries, 2, dtype=torch.float64)
    row, column = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
    index = corner_index([column.reshape(-1), row.reshape(-1)], 6, entries)
    assert len(index.unique()) == 36
    table[:, index] = dense
    torch.testing.assert_close(grid_lookup(points, table, 6), plane_dense(points, dense, 6))


def test_no_gradient_flows_to_points_on_the_border_or_outside(generator):
    layout = ops.GridLayout.geometric(3, 4, 9, 5, 2)
    table = torch.rand(layout.table_shape, generator=generator).double()
    points = torch.tensor([[-0.5, 0.0, 1.0], [1.0, 1.5, 7.0]]).double().requires_grad_()
    ops.triplane_encode(points, table, layout).sum().backward()
    assert not points.grad.any()


def test_spherical_harmonics_gradients_are_numeric_ones(generator):
    directions = torch.randn(5, 3, generator=generator).double().requires_grad_()
    assert torch.autograd.gradcheck(ops.spherical_harmonics, (directions,))


def test_weights_gradients_are_numeric_ones(generator):
    ray, offsets = packed([2, 0, 3])
    density = (torch.rand(5, generator=generator).double() * 3).requires_grad_()
    steps = torch.rand(5, generator=generator).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda d, s: ops.render_weights(d, s, ray, offsets), (density, steps)
    )


def test_march_does_not_depend_on_where_a_ray_starts_counting(generator):
    """Moving the origin back along the ray moves every start by as much and keeps the set."""
    occupancy = torch.rand(8, 8, 8, generator=generator) < 0.3
    origins, directions, near, far, found = march(occupancy, generator=generator)
    offsets = torch.zeros(len(origins)).double()
    again = ops.march(
        origins - 2 * directions, directions, near + 2, far + 2, occupancy, BOX, 0.05, offsets
    )
    assert torch.equal(again.ray_indices, found.ray_indices)
    torch.testing.assert_close(again.starts, found.starts + 2)


def test_spherical_harmonics_are_orthonormal(generator):
    directions = torch.randn(200_000, 3, generator=generator).double()
    directions = directions / directions.norm(dim=-1, keepdim=True)
    basis = ops.spherical_harmonics(directions)
    gram = basis.T @ basis / len(basis) * 4 * math.pi
    torch.testing.assert_close(gram, torch.eye(16).double(), atol=0.03, rtol=0)


@pytest.mark.parametrize(
    ("origin", "direction", "near", "far"),
    [
        ((0.0, 0.0, -3.0), (0.0, 0.0, 1.0), 2.0, 4.0),
        ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), 0.0, 1.0),
        ((-3.0, 0.5, 0.5), (1.0, 0.0, 0.0), 2.0, 4.0),
    ],
)
def test_ray_box_hits(origin, direction, near, far):
    found = ops.ray_box(torch.tensor([origin]).double(), torch.tensor([direction]).double(), BOX)
    assert [float(v) for v in found] == pytest.approx([near, far])


@pytest.mark.parametrize(
    ("origin", "direction"),
    [((0.0, 2.0, -3.0), (0.0, 0.0, 1.0)), ((0.0, 0.0, -3.0), (0.0, 0.0, -1.0))],
    ids=["beside", "behind"],
)
def test_ray_box_misses(origin, direction):
    near, far = ops.ray_box(
        torch.tensor([origin]).double(), torch.tensor([direction]).double(), BOX
    )
    assert float(far) <= float(near)


def march(occupancy, count=64, jitter=0.0, generator=None):
    origins = torch.tensor([[0.0, 0.0, -3.0]]).repeat(count, 1).double()
    spread = torch.randn(count, 3, generator=generator).double() * 0.2
    directions = spread + torch.tensor([0.0, 0.0, 1.0]).double()
    directions = directions / directions.norm(dim=-1, keepdim=True)
    near, far = ops.ray_box(origins, directions, BOX)
    offsets = torch.full((count,), jitter).double()
    found = ops.march(origins, directions, near, far, occupancy, BOX, 0.05, offsets)
    return origins, directions, near, far, found


def test_march_keeps_exactly_the_occupied_lattice(generator):
    occupancy = torch.rand(8, 8, 8, generator=generator) < 0.3
    origins, directions, near, far, found = march(occupancy, generator=generator)
    expected = []
    for ray in range(len(origins)):
        index = 0
        while float(near[ray]) + (index + 0.5) * 0.05 < float(far[ray]):
            middle = origins[ray] + directions[ray] * (near[ray] + (index + 0.5) * 0.05)
            x, y, z = ((middle + 1) / 2 * 8).long().clamp(0, 7).tolist()
            if occupancy[x, y, z]:
                expected.append((ray, float(near[ray]) + index * 0.05))
            index += 1
    assert found.ray_indices.tolist() == [ray for ray, _ in expected]
    assert found.starts.tolist() == pytest.approx([start for _, start in expected])
    counts = torch.bincount(found.ray_indices, minlength=len(origins))
    assert found.ray_offsets[:, 1].tolist() == counts.tolist()


def test_march_through_nothing_gives_nothing(generator):
    *_, found = march(torch.zeros(4, 4, 4, dtype=torch.bool), generator=generator)
    assert len(found.starts) == 0 and int(found.ray_offsets.sum()) == 0


def test_march_without_rays():
    none = torch.zeros(0, 3).double()
    flat = torch.zeros(0).double()
    occupancy = torch.ones(4, 4, 4, dtype=torch.bool)
    found = ops.march(none, none, flat, flat, occupancy, BOX, 0.1, flat)
    assert found.ray_offsets.shape == (0, 2)


def test_arguments_are_checked_by_name():
    layout = ops.GridLayout((4,), 64, 1)
    with pytest.raises(ValueError, match=r"points has shape \(5, 2\), needs \(any, 3\)"):
        ops.triplane_encode(torch.zeros(5, 2), torch.zeros(layout.table_shape), layout)
    with pytest.raises(ValueError, match=r"density is torch\.int64"):
        one = torch.ones(1, dtype=torch.int64)
        ops.render_weights(one, torch.ones(1), one, torch.ones(1, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="step is 0"):
        flat, none = torch.zeros(1), torch.zeros(1, 3)
        ops.march(none, none, flat, flat, torch.ones(2, 2, 2).bool(), BOX.float(), 0, flat)
