"""Marching into buffers of a fixed capacity on every back-end."""

import math

import pytest
import torch

from nerf_talker import ops
from nerf_talker.errors import BackendError
from tests.ops.test_backends import DTYPES, KINDS, drawn, rays


def given(backend, dtype, kind, generator, resolution=9):
    origins, directions, box = rays(kind, generator)
    jitter = torch.rand(len(origins), generator=generator)
    (origins, directions, box, jitter), _ = drawn(backend, dtype, origins, directions, box, jitter)
    near, far = ops.ray_box(origins, directions, box)
    cells = torch.rand(resolution, resolution, resolution, generator=generator) < 0.3
    return origins, directions, near, far, cells.to(near.device), box, 0.05, jitter


@DTYPES
@pytest.mark.parametrize("kind", KINDS)
def test_enough_room_gives_the_samples_of_the_march(backend, dtype, kind, generator):
    arguments = given(backend, dtype, kind, generator)
    whole = ops.march(*arguments)
    count = len(whole.starts)
    found = ops.march_packed(*arguments, count + 7)
    assert found.totals.tolist() == [count, 0, 0]
    found.check()
    assert torch.equal(found.ray_offsets, whole.ray_offsets)
    assert torch.equal(found.ray_indices[:count], whole.ray_indices)
    assert torch.equal(found.starts[:count], whole.starts) and not found.starts[count:].any()
    assert found.ray_indices[count:].tolist() == [max(len(whole.ray_offsets) - 1, 0)] * 7
    assert found.used().tolist() == [True] * count + [False] * 7


@pytest.mark.parametrize("capacity", [0, 1, 500])
def test_what_does_not_fit_is_counted_and_the_first_rays_are_kept(backend, capacity, generator):
    arguments = given(backend, torch.float32, "usual", generator)
    whole, found = ops.march(*arguments), ops.march_packed(*arguments, capacity)
    wanted = len(whole.starts)
    assert wanted > 500 and found.totals.tolist() == [wanted, wanted - capacity, 0]
    assert torch.equal(found.ray_indices, whole.ray_indices[:capacity])
    assert torch.equal(found.starts, whole.starts[:capacity])
    first, count = found.ray_offsets.unbind(-1)
    assert int(count.sum()) == capacity and bool((first + count <= capacity).all())
    with pytest.raises(BackendError, match=f"{wanted - capacity} of {wanted} samples dropped"):
        found.check()


def test_rays_without_an_end_are_counted_and_keep_nothing(backend, generator):
    arguments = list(given(backend, torch.float32, "usual", generator))
    ends = torch.tensor([1.0, math.inf, math.nan, 1e9, -1.0]).to(arguments[0].device)
    arguments[2], arguments[3] = arguments[2].clone(), arguments[3].clone()
    arguments[2][:5], arguments[3][:5] = 0, ends
    found = ops.march_packed(*arguments, 9000)
    assert int(found.totals[2]) == 3 and not found.ray_offsets[1:4, 1].any()
    with pytest.raises(BackendError, match="3 rays that hit have no finite far"):
        found.check()


def test_padding_changes_no_pixel_and_gets_no_gradient(backend, generator):
    arguments = given(backend, torch.float32, "usual", generator)
    pictures, gradients = [], []
    whole = ops.march(*arguments)
    for spare in (0, 300):
        found = ops.march_packed(*arguments, len(whole.starts) + spare)
        density = (found.starts * 3).clone().requires_grad_()
        steps = 0.05 * found.used()
        packing = (found.ray_indices, found.ray_offsets)
        summed, opacity = ops.composite(density, found.starts[:, None], steps, *packing)
        (summed.sum() + opacity.sum()).backward()
        pictures.append(summed.detach())
        gradients.append(density.grad)
    assert torch.equal(*pictures) and not gradients[1][len(whole.starts) :].any()
    torch.testing.assert_close(gradients[0], gradients[1][: len(whole.starts)])


def test_a_negative_capacity_is_refused(generator):
    with pytest.raises(ValueError, match="capacity is -1"):
        ops.march_packed(*given("reference", torch.float32, "usual", generator), -1)
