"""Distortion of weights along rays on every back-end."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.errors import BackendError
from nerf_talker.losses import distortion
from nerf_talker.types import RaySamples
from tests.ops.backends import running
from tests.ops.test_backends import COUNTS, DTYPES, compare, drawn, packed


def along(counts, generator):
    """Weights, ascending middles and lengths of packed rays."""
    samples = sum(counts)
    steps = torch.rand(samples, generator=generator) * 0.1 + 0.01
    return torch.rand(samples, generator=generator), steps.cumsum(0) + 0.7, steps


@DTYPES
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
def test_values_and_gradients(backend, dtype, counts, generator):
    weights, middles, lengths = along(counts, generator)

    def run(w):
        packing = packed(counts, w.device)
        return (ops.ray_distortion(w, middles.to(w), lengths.to(w), *packing),)

    compare(backend, dtype, run, run, weights)


def test_it_is_the_double_sum_of_the_paper(backend, generator):
    counts = [5, 0, 12]
    (w, m, length), double = drawn(backend, torch.float32, *along(counts, generator))
    found = ops.ray_distortion(w, m, length, *packed(counts, w.device)).cpu().double()
    w, m, length = double
    at = 0
    for ray, count in enumerate(counts):
        own = slice(at, at + count)
        pairs = w[own, None] * w[None, own] * (m[own, None] - m[None, own]).abs()
        wanted = pairs.sum() + (w[own] ** 2 * length[own]).sum() / 3
        torch.testing.assert_close(found[ray], wanted, rtol=1e-5, atol=0)
        at += count


def test_gradients_are_numeric_ones(backend, generator):
    (w, m, length), _ = drawn(backend, torch.float64, *along([4, 0, 3], generator))
    packing = packed([4, 0, 3], w.device)
    assert torch.autograd.gradcheck(
        lambda w: ops.ray_distortion(w, m, length, *packing), (w.requires_grad_(),)
    )


def test_one_place_has_less_than_two(backend):
    middles, lengths = torch.arange(4.0), torch.full((4,), 0.1)
    peaks = torch.tensor([[0.0, 1, 0, 0], [0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5]])
    given = [v.repeat(3) for v in (middles, lengths)]
    (w, m, length), _ = drawn(backend, torch.float32, peaks.reshape(-1), *given)
    one, near, far = ops.ray_distortion(w, m, length, *packed([4, 4, 4], w.device)).tolist()
    assert one < near < far and one == pytest.approx(0.1 / 3)


def test_moving_a_ray_changes_nothing(backend, generator):
    (w, m, length), _ = drawn(backend, torch.float64, *along([9], generator))
    packing = packed([9], w.device)
    moved = ops.ray_distortion(w, m + 5, length, *packing)
    torch.testing.assert_close(moved, ops.ray_distortion(w, m, length, *packing))


def test_the_loss_takes_samples(generator):
    weights, middles, lengths = along([6, 2], generator)
    samples = RaySamples(
        *(packed([6, 2], "cpu")[:1]),
        middles - lengths / 2,
        middles + lengths / 2,
        packed([6, 2], "cpu")[1],
    )
    wanted = ops.ray_distortion(weights, middles, lengths, *packed([6, 2], "cpu"))
    torch.testing.assert_close(distortion(weights, samples), wanted)


def test_offsets_outside_the_samples_are_refused():
    ray, offsets = packed([2, 3], "cpu")
    flat = torch.ones(5)
    with running("cpu"), pytest.raises(BackendError, match="ray_offsets"):
        ops.ray_distortion(flat, flat, flat, ray, offsets + 1)
    with running("emulated"):
        assert ops.ray_distortion(flat, flat, flat, ray, offsets + 1).isnan().tolist() == [
            False,
            True,
        ]
