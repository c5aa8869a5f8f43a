"""Laws of the loss terms."""

import pytest
import torch
import torch.nn.functional as F

from nerf_talker.errors import WeightsError
from nerf_talker.losses import (
    dissimilarity,
    gradient_pyramid,
    lip_consistency,
    neighbour_distance,
)
from nerf_talker.losses.perceptual import WEIGHTS, PerceptualNetwork
from nerf_talker.weights import resolve


@pytest.fixture
def pictures(generator):
    coarse = torch.rand(2, 3, 8, 8, generator=generator)
    return F.interpolate(coarse, size=(48, 48), mode="bilinear")


def blurred(pictures):
    return F.avg_pool2d(F.pad(pictures, (2, 2, 2, 2), mode="replicate"), 5, 1)


@pytest.fixture
def network():
    try:
        return PerceptualNetwork(resolve(WEIGHTS, fetch=False))
    except WeightsError:
        pytest.skip(f"{WEIGHTS} is not at hand")


@pytest.mark.parametrize("term", [gradient_pyramid, dissimilarity])
def test_patch_terms_are_zero_at_equality_and_punish_blur(term, pictures):
    assert float(term(pictures, pictures).abs().max()) < 1e-6
    soft = term(blurred(pictures), pictures).mean()
    softer = term(blurred(blurred(pictures)), pictures).mean()
    assert 0 < float(soft) < float(softer)
    assert torch.allclose(
        term(pictures[:1], blurred(pictures)[:1]).mean(),
        term(blurred(pictures)[:1], pictures[:1]).mean(),
    )


def test_gradients_do_not_see_a_constant_but_every_flip(pictures):
    assert float(gradient_pyramid(pictures + 0.2, pictures).max()) < 1e-4
    assert float(gradient_pyramid(pictures.flip(-1), pictures).min()) > 1e-3
    assert gradient_pyramid(pictures, pictures).shape == (2,)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_patch_may_be_tiny(size, generator):
    one, two = torch.rand(2, 1, 3, size, size, generator=generator)
    one.requires_grad_()
    (gradient_pyramid(one, two).mean() + dissimilarity(one, two).mean()).backward()
    assert bool(torch.isfinite(one.grad).all()) and float(one.grad.abs().max()) > 0


def test_perception_is_zero_at_equality_and_learns(network, pictures):
    assert float(network.dissimilarity(pictures, pictures).max()) == 0
    start = blurred(blurred(pictures)).requires_grad_()
    before = network.dissimilarity(start, pictures)
    (gradient,) = torch.autograd.grad(before.sum(), start)
    after = network.dissimilarity(start - 0.02 * gradient / gradient.abs().max(), pictures)
    assert bool((after < before).all())


def test_perception_of_flat_patches_has_a_finite_slope(network):
    flat = torch.zeros(1, 3, 48, 48, requires_grad=True)
    network.dissimilarity(flat, torch.ones(1, 3, 48, 48)).sum().backward()
    assert bool(torch.isfinite(flat.grad).all())


def test_neighbours_that_agree_cost_nothing():
    codes = torch.tensor([[1.0, 2], [1, 2]])
    assert neighbour_distance(codes, codes).tolist() == [0, 0]
    assert neighbour_distance(codes, codes + 1).tolist() == [2, 2]


def test_lips_carried_home_cost_nothing():
    rest = torch.rand(4, 3)
    moved = rest[None] + torch.tensor([0.0, 0.01, 0.0])
    assert float(lip_consistency(rest[None], rest).abs().max()) == 0
    assert lip_consistency(moved, rest).flatten().tolist() == pytest.approx([0.905] * 4, abs=0.01)
