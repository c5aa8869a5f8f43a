"""Grid encoding in two and three dimensions on every back-end."""

import itertools

import pytest
import torch

from nerf_talker import ops
from tests.ops.test_backends import DTYPES, compare, drawn, values_and_gradients

LAYOUTS = {
    "hashed 3-D": ops.LatticeLayout.geometric(4, 4, 60, 9, 2),
    "hashed 2-D": ops.LatticeLayout.geometric(3, 5, 70, 8, 4, dimensions=2),
    "tiled 3-D": ops.LatticeLayout.geometric(3, 4, 40, 8, 8, tiled=True),
    "tiled 2-D, no power of two": ops.LatticeLayout((9, 31), 700, 1, 2, tiled=True),
    "hashed 3-D, no power of two": ops.LatticeLayout((6, 50), 1001, 3),
    "dense 3-D": ops.LatticeLayout.geometric(2, 2, 9, 16, 5),
    "sixteen levels": ops.LatticeLayout.geometric(16, 4, 200, 7, 2),
}
EACH = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def table_and_points(layout, count, generator):
    table = torch.randn(layout.table_shape, generator=generator)
    return table, torch.rand(count, layout.dimensions, generator=generator) * 1.4 - 0.2


def encoding(layout):
    return lambda p, t: (ops.grid_encode(p, t, layout),)


@DTYPES
@EACH
@pytest.mark.parametrize("count", [0, 1, 300])
def test_values_and_gradients(backend, dtype, layout, count, generator):
    table, points = table_and_points(layout, count, generator)
    compare(backend, dtype, encoding(layout), encoding(layout), points, table)


@DTYPES
def test_a_gradient_reaches_only_what_asks(backend, dtype, generator):
    layout = LAYOUTS["hashed 3-D"]
    table, points = table_and_points(layout, 30, generator)
    (points, table), _ = drawn(backend, dtype, points, table)
    _, to_points, to_table = values_and_gradients(encoding(layout), [points, table])
    _, only = values_and_gradients(lambda t: encoding(layout)(points, t), [table])
    assert torch.equal(only, to_table)
    _, only = values_and_gradients(lambda p: encoding(layout)(p, table), [points])
    assert torch.equal(only, to_points)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_gradients_are_numeric_ones(backend, dimensions, tiled, generator):
    layout = ops.LatticeLayout((4, 9), 30, 2, dimensions, tiled)
    table, points = table_and_points(layout, 4, generator)
    (points, table), _ = drawn(backend, torch.float64, points, table)
    points, table = (points * 0.6 + 0.2).requires_grad_(), table.requires_grad_()
    assert torch.autograd.gradcheck(encoding(layout), (points, table))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_dense_level_returns_its_corners(backend, dimensions, generator):
    layout = ops.LatticeLayout((5,), 125, 3, dimensions)
    table, _ = table_and_points(layout, 0, generator)
    corners = torch.tensor(list(itertools.product(range(5), repeat=dimensions)))
    (points, table), _ = drawn(backend, torch.float32, corners / 4, table)
    strides = 5 ** torch.arange(dimensions)
    found = ops.grid_encode(points, table, layout)
    torch.testing.assert_close(found, table[(corners * strides).sum(-1).to(table.device)])


def test_tiling_repeats_where_hashing_scatters(backend):
    """Along the first axis a tiled level repeats after ``entries`` corners."""
    layout = ops.LatticeLayout((65,), 16, 1, 2, tiled=True)
    line = torch.zeros(65, 2)
    line[:, 0] = torch.arange(65) / 64
    (line, table), _ = drawn(backend, torch.float32, line, torch.arange(16.0)[:, None])
    found = ops.grid_encode(line, table, layout)[:, 0]
    torch.testing.assert_close(found.cpu(), (torch.arange(65) % 16).float())


def test_beyond_the_border_the_border_is_seen(backend, generator):
    layout = LAYOUTS["hashed 3-D"]
    table, points = table_and_points(layout, 50, generator)
    (points, table), _ = drawn(backend, torch.float32, points * 3 - 1, table)
    points.requires_grad_()
    found = ops.grid_encode(points, table, layout)
    assert torch.equal(found, ops.grid_encode(points.detach().clamp(0, 1), table, layout))
    found.sum().backward()
    assert not points.grad[(points <= 0) | (points >= 1)].any()


def test_arguments_are_checked_by_name():
    layout = LAYOUTS["hashed 3-D"]
    table = torch.zeros(layout.table_shape)
    with pytest.raises(ValueError, match=r"points has shape \(5, 2\), needs \(any, 3\)"):
        ops.grid_encode(torch.zeros(5, 2), table, layout)
    with pytest.raises(ValueError, match="dimensions is 4, needs 2 or 3"):
        ops.grid_encode(torch.zeros(5, 4), table, ops.LatticeLayout((4,), 64, 1, 4))
    with pytest.raises(ValueError, match=r"resolutions is \(1, 4\), needs at least 2"):
        ops.grid_encode(torch.zeros(5, 3), table, ops.LatticeLayout((1, 4), 64, 1))


@DTYPES
@pytest.mark.parametrize("pool", ["concat", "mean"])
def test_landmarks_are_encoded_each_as_a_point(backend, dtype, pool, generator):
    layout = LAYOUTS["tiled 3-D"]
    table = torch.randn(layout.table_shape, generator=generator)
    landmarks = torch.rand(4, 7, 3, generator=generator) * 0.8 + 0.1

    def run(p, t):
        return (ops.landmark_encode(p, t, layout, pool),)

    compare(backend, dtype, run, run, landmarks, table)
    (found,) = run(*drawn(backend, dtype, landmarks, table)[0])
    assert found.shape == (4, layout.width * (7 if pool == "concat" else 1))
    (points, table), _ = drawn(backend, dtype, landmarks, table)
    each = torch.stack([ops.grid_encode(frame, table, layout) for frame in points])
    torch.testing.assert_close(found, each.flatten(1) if pool == "concat" else each.mean(1))


def test_the_landmark_grid_has_the_paper_s_size():
    assert ops.LANDMARK_LAYOUT.width == 32
    entries, features = ops.LANDMARK_LAYOUT.table_shape
    assert entries * features == pytest.approx(2_037_968, rel=0.01)


def test_landmarks_are_checked_by_name():
    table = torch.zeros(ops.LANDMARK_LAYOUT.table_shape)
    with pytest.raises(ValueError, match=r"landmarks has shape \(5, 3\), needs \(any, any, 3\)"):
        ops.landmark_encode(torch.zeros(5, 3), table, ops.LANDMARK_LAYOUT)
    with pytest.raises(ValueError, match="pool is 'max', needs concat or mean"):
        ops.landmark_encode(torch.zeros(1, 5, 3), table, ops.LANDMARK_LAYOUT, "max")
