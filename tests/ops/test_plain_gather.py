"""Every back-end's encoding against the plainest form of its definition."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.ops import backend as choice
from tests.ops import plain_gather
from tests.ops.backends import assert_near, computes, device_of, triplane_tolerance

LAYOUTS = {
    "dense": ops.GridLayout.geometric(3, 5, 16, 12, 2),
    "hashed": ops.GridLayout.geometric(4, 8, 100, 8, 1),
    "four_features": ops.GridLayout.geometric(3, 7, 60, 10, 4),
}


@pytest.mark.parametrize("dtype", (torch.float64, torch.float32))
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_values_and_gradients_follow_the_definition(backend, layout, dtype, generator):
    name = choice.wanted()
    if not computes(name, dtype):
        pytest.skip(f"back-end {name} does not compute in {dtype}")
    points = torch.rand(400, 3, generator=generator, dtype=torch.float64) * 1.2 - 0.1
    # Rounded once: both then see the same point, and choose the same cell.
    points = points.to(dtype)
    table = torch.randn(layout.table_shape, generator=generator, dtype=torch.float64).to(dtype)
    pull = torch.randn(400, layout.width, generator=generator, dtype=torch.float64)
    leaves = [v.double().clone().requires_grad_() for v in (points, table)]
    wanted = plain_gather.triplane_encode(*leaves, layout)
    (wanted * pull).sum().backward()
    device = device_of(name)
    given = [v.clone().to(device).requires_grad_() for v in (points, table)]
    found = ops.triplane_encode(*given, layout)
    (found * pull.to(device, dtype)).sum().backward()
    limit = triplane_tolerance(name, dtype)
    assert_near(found, wanted, limit)
    assert_near(given[1].grad, leaves[1].grad, limit)
    assert_near(given[0].grad, leaves[0].grad, limit * (10 if dtype == torch.float32 else 1))
