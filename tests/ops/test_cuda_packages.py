"""The optional packages themselves, on a GPU; skipped, with the reason, where one is missing."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig
from nerf_talker.field.tiny_head import TinyHeadField
from nerf_talker.ops import backend
from nerf_talker.render import nerfacc_rays

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch sees no CUDA GPU: no package was run on one"
)
BOX = torch.tensor([[-0.1, -0.12, -0.1], [0.1, 0.12, 0.1]])
MOUTH = torch.tensor([[0.0, 0.04, -0.05], [0.06, 0.05, 0.07]])


@pytest.fixture(autouse=True)
def _reference():
    """Against torch's own operators, so that a difference is the package's."""
    with backend.using("reference"):
        yield


def rays(generator, count=500):
    origins = torch.randn(count, 3, generator=generator) * 0.02 - torch.tensor([0, 0, 0.5])
    targets = (torch.rand(count, 3, generator=generator) - 0.5) * 0.3
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    return origins, directions, *ops.ray_box(origins, directions, BOX)


def test_nerfacc_marches_our_lattice(generator):
    pytest.importorskip("nerfacc", reason="nerfacc is not installed")
    cells = torch.rand(64, 64, 64, generator=generator) < 0.3
    given = [*rays(generator), cells, BOX, torch.rand(500, generator=generator)]
    given = [value.cuda() for value in given]
    given.insert(6, 0.006)
    found, wanted = nerfacc_rays.march(*given), ops.march(*given)
    # A centre within rounding of a cell's border may fall on either side of it.
    same = found.ray_offsets[:, 1] == wanted.ray_offsets[:, 1]
    assert float(same.float().mean()) > 0.98
    one = torch.repeat_interleave(same, found.ray_offsets[:, 1])
    other = torch.repeat_interleave(same, wanted.ray_offsets[:, 1])
    difference = (found.starts[one] - wanted.starts[other]).abs()
    assert float((difference > 1e-4).float().mean()) < 0.02


def test_nerfacc_composites_what_we_composite(generator):
    pytest.importorskip("nerfacc", reason="nerfacc is not installed")
    counts = torch.randint(0, 30, (500,), generator=generator)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1).cuda()
    ray = torch.repeat_interleave(torch.arange(500), counts).cuda()
    total = len(ray)
    density = (torch.rand(total, generator=generator) * 100).cuda()
    values = torch.randn(total, 6, generator=generator).cuda()
    steps = torch.full((total,), 0.006).cuda()
    gradients = []
    for composite in (ops.composite, nerfacc_rays.composite):
        leaves = density.clone().requires_grad_(), values.clone().requires_grad_()
        summed, opacity = composite(*leaves, steps, ray, offsets)
        (summed.square().sum() + opacity.sum()).backward()
        gradients.append((summed, opacity, *(leaf.grad for leaf in leaves)))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_a_tiny_head_learns_what_a_native_head_shows(generator):
    pytest.importorskip("tinycudann", reason="tinycudann is not installed")
    torch.manual_seed(0)
    sizes = {"codes": 4, "expressions": 3, "box": BOX, "mouth": MOUTH}
    head = TinyHeadField(HeadFieldConfig(backend="tinycudann"), **sizes).cuda()
    shown = HeadField(HeadFieldConfig(), **sizes).cuda()
    torch.nn.init.uniform_(shown.table, -1, 1)
    condition = HeadCondition(*(torch.randn(1, w, generator=generator).cuda() for w in (4, 3, 4)))
    direction = torch.tensor([[0.0, 0.0, 1.0]]).cuda()
    optimiser = torch.optim.Adam(head.parameters(), 1e-2, eps=1e-15)
    errors = []
    for _ in range(200):
        points = (torch.rand(4096, 3, generator=generator) - 0.5).cuda() * 0.2
        index = torch.zeros(4096, dtype=torch.int64).cuda()
        given = (points, direction, condition, index, index)
        with torch.no_grad():
            goal = shown(*given)
        out = head(*given)
        assert out.density.dtype == torch.float32 and out.rgb.shape == (4096, 3)
        loss = (out.rgb - goal.rgb).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(float(loss))
    assert errors[-1] < 0.5 * errors[0]
