"""Compositing against nerfacc (Li et al. 2023), whose dense functions run without a GPU.

An oracle that shares no line with ours: rays of one length as a (rays, samples) matrix.
"""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.ops import backend as choice
from tests.ops.backends import assert_near, computes, device_of, tolerance

nerfacc = pytest.importorskip("nerfacc", reason="nerfacc is not installed: no second oracle")

RAYS, SAMPLES, CHANNELS = 40, 24, 5


def drawn(generator, dtype, scale):
    """Density from void to opaque, values, and steps of uneven length, as matrices."""
    density = torch.rand(RAYS, SAMPLES, generator=generator, dtype=torch.float64) ** 3 * scale
    density[::7] = 0
    values = torch.randn(RAYS, SAMPLES, CHANNELS, generator=generator, dtype=torch.float64)
    steps = 0.002 + torch.rand(RAYS, SAMPLES, generator=generator, dtype=torch.float64) * 0.01
    return density.to(dtype), values.to(dtype), steps.to(dtype)


def packed():
    counts = torch.full((RAYS,), SAMPLES)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    return torch.repeat_interleave(torch.arange(RAYS), counts), offsets


def theirs(density, values, steps):
    """(rays, channels) sums, (rays, 1) opacity and (rays, samples) weights, from nerfacc."""
    starts = nerfacc.exclusive_sum(steps)
    weights, passed, _ = nerfacc.render_weight_from_density(starts, starts + steps, density)
    torch.testing.assert_close(passed[:, 0], torch.ones_like(passed[:, 0]))
    summed = nerfacc.accumulate_along_rays(weights, values)
    return summed, nerfacc.accumulate_along_rays(weights, None)[:, 0], weights


@pytest.mark.parametrize("scale", (1.0, 100.0, 5000.0), ids=("thin", "usual", "opaque"))
@pytest.mark.parametrize("dtype", (torch.float64, torch.float32))
def test_weights_sums_and_gradients_are_nerfacc_s(backend, dtype, scale, generator):
    name = choice.wanted()
    if not computes(name, dtype):
        pytest.skip(f"back-end {name} does not compute in {dtype}")
    density, values, steps = drawn(generator, dtype, scale)
    wanted = [v.double().clone().requires_grad_() for v in (density, values, steps)]
    goal = theirs(*wanted)
    device = device_of(name)
    given = [v.detach().clone().to(device).requires_grad_() for v in (density, values, steps)]
    flat = (given[0].reshape(-1), given[1].reshape(-1, CHANNELS), given[2].reshape(-1))
    where = [value.to(device) for value in packed()]
    found = (*ops.composite(*flat, *where), ops.render_weights(flat[0], flat[2], *where))
    pull = [torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in goal]
    sum((v * p).sum() for v, p in zip(goal, pull, strict=True)).backward()
    weighed = [v * p.to(device, dtype).reshape(v.shape) for v, p in zip(found, pull, strict=True)]
    sum(v.sum() for v in weighed).backward()
    limit = tolerance(name, dtype)
    for ours, other in zip(found, goal, strict=True):
        assert_near(ours.reshape(other.shape), other, limit)
    for ours, other in zip(given, wanted, strict=True):
        assert_near(ours.grad, other.grad, 10 * limit)


def test_depth_is_nerfacc_s(generator):
    density, _, steps = drawn(generator, torch.float64, 100.0)
    ends = steps.cumsum(-1)
    middle = (ends - steps / 2)[..., None]
    goal = theirs(density, middle, steps)[0]
    ray, offsets = packed()
    flat = (density.reshape(-1), middle.reshape(-1, 1), steps.reshape(-1))
    assert_near(ops.composite(*flat, ray, offsets)[0], goal, 1e-12)
