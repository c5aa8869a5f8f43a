"""Tables of 16-bit floats on every back-end: read as stored, computed with in single precision."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.ops.backend import using
from nerf_talker.ops.register import operators
from tests.ops.backends import assert_near, device_of, triplane_tolerance

ENCODINGS = {
    "triplane 2": (ops.GridLayout.geometric(4, 4, 60, 9, 2), ops.triplane_encode),
    "triplane 1": (ops.GridLayout.geometric(4, 4, 60, 9, 1), ops.triplane_encode),
    "grid 2": (ops.LatticeLayout.geometric(4, 4, 60, 9, 2), ops.grid_encode),
    "grid 3": (ops.LatticeLayout((4, 20), 300, 3, tiled=True), ops.grid_encode),
    "flat grid 8": (ops.LatticeLayout((4, 20), 300, 8, 2), ops.grid_encode),
}
EACH = pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)


def scene(encoding, device, generator):
    layout, encode = encoding
    dimensions = getattr(layout, "dimensions", 3)
    points = torch.rand(300, dimensions, generator=generator) * 1.2 - 0.1
    table = torch.randn(layout.table_shape, generator=generator).half()
    return points.to(device), table.to(device), layout, encode


@EACH
def test_values_and_gradients_are_those_of_the_rounded_table(backend, encoding, generator):
    points, table, layout, encode = scene(encoding, device_of(backend), generator)
    single = [points.requires_grad_(), table.requires_grad_()]
    found = encode(*single, layout)
    assert found.dtype == torch.float32
    weights = torch.randn(found.shape, generator=generator)
    found.backward(weights.to(found.device))
    double = [v.detach().cpu().double().requires_grad_() for v in single]
    with using("reference"):
        wanted = encode(*double, layout)
        wanted.backward(weights.double())
    within = triplane_tolerance(backend, torch.float32)
    assert_near(found, wanted, within)
    assert_near(points.grad, double[0].grad, within)
    assert table.grad.dtype == torch.float16
    assert_near(table.grad, double[1].grad, 1e-3)  # a rounding to half at the end


@pytest.mark.parametrize("name", ["cpu", "emulated", "cuda"])
def test_the_table_s_gradient_is_single_precision(name, generator):
    from tests.ops.backends import running

    with running(name):
        points, table, layout, _ = scene(ENCODINGS["grid 2"], device_of(name), generator)
        gradient = torch.randn(len(points), layout.width, generator=generator).to(points.device)
        how = (list(layout.resolutions), layout.entries, layout.tiled, False, True)
        backward = operators().grid_encode_backward
        _, found = backward(gradient, points, table, *how)
        assert found.dtype == torch.float32
        _, wanted = backward(gradient, points, table.float(), *how)
        torch.testing.assert_close(found, wanted)


def test_every_sixteen_bit_number_is_read(backend):
    """Denormals, zeros and all the rest, looked up on their corners."""
    layout = ops.LatticeLayout((257,), 257 * 257, 1, 2)
    bits = torch.arange(2**16, dtype=torch.int32).to(torch.int16)
    table = torch.zeros(layout.table_shape, dtype=torch.float16)
    table[: 2**16, 0] = bits.view(torch.float16)
    index = torch.arange(2**16)
    points = torch.stack([index % 257, index // 257], -1) / 256
    table, points = table.to(device_of(backend)), points.to(device_of(backend))
    kept = table[: 2**16, 0].float().cpu()
    finite = kept.isfinite()
    # A corner beside one that is not finite has its weight of zero times it.
    table[~table.isfinite()] = 0
    found = ops.grid_encode(points, table, layout)[:, 0].cpu()
    torch.testing.assert_close(found[finite], kept[finite], rtol=1e-6, atol=0)


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_what_is_not_finite_is_read(backend, value):
    layout = ops.LatticeLayout((3,), 9, 2, 2)
    table = torch.zeros(layout.table_shape, dtype=torch.float16)
    table[4, 0] = value
    points = torch.tensor([[0.4, 0.4], [0.6, 0.7]])  # every corner's weight is above zero
    device = device_of(backend)
    found = ops.grid_encode(points.to(device), table.to(device), layout).cpu()
    wanted = torch.tensor([[value, 0.0]]).expand(2, 2)
    assert torch.equal(found.nan_to_num(7.0), wanted.nan_to_num(7.0))


def test_double_points_take_a_half_table(backend, generator):
    points, table, layout, encode = scene(ENCODINGS["grid 2"], device_of(backend), generator)
    found = encode(points.double(), table, layout)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, encode(points.double(), table.double(), layout))
    with pytest.raises(ValueError, match=r"table is torch\.bfloat16"):
        encode(points, table.bfloat16(), layout)
