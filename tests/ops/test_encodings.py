"""Spherical harmonics by degree and frequencies on every back-end."""

import math

import pytest
import torch

from nerf_talker import ops
from tests.ops.test_backends import DTYPES, compare, drawn

DEGREES = pytest.mark.parametrize("degree", [1, 2, 3, 4])


def unit(count, generator):
    return torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)


@DTYPES
@DEGREES
def test_harmonics_of_a_degree(backend, dtype, degree, generator):
    def run(d):
        return (ops.spherical_harmonics(d, degree),)

    compare(backend, dtype, run, run, unit(70, generator))


@DEGREES
def test_a_degree_is_the_beginning_of_the_next(backend, degree, generator):
    (directions,), _ = drawn(backend, torch.float32, unit(9, generator))
    whole = ops.spherical_harmonics(directions)
    found = ops.spherical_harmonics(directions, degree)
    torch.testing.assert_close(found, whole[:, : degree**2])


def test_no_other_degree_is_taken():
    for degree in (0, 5):
        with pytest.raises(ValueError, match=f"degree is {degree}, needs 1 to 4"):
            ops.spherical_harmonics(torch.zeros(1, 3), degree)


@DTYPES
@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("octaves", [0, 1, 10])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (300, 2), (40, 5)])
def test_frequencies(backend, dtype, shape, octaves, identity, generator):
    def run(p):
        return (ops.frequency_encode(p, octaves, identity),)

    compare(backend, dtype, run, run, torch.randn(shape, generator=generator) * 3)


def test_frequencies_are_those_of_the_paper(backend, generator):
    """Equation 4, written out."""
    (points,), _ = drawn(backend, torch.float32, torch.rand(20, 2, generator=generator) * 2 - 1)
    found = ops.frequency_encode(points, 3).cpu().double()
    points = points.cpu().double()
    assert found.shape == (20, 2 * 7)
    torch.testing.assert_close(found[:, :2], points)
    for octave in range(3):
        for axis in range(2):
            angle = 2**octave * math.pi * points[:, axis]
            at = 2 + 2 * octave + axis
            torch.testing.assert_close(found[:, at], angle.sin(), atol=1e-6, rtol=0)
            torch.testing.assert_close(found[:, at + 6], angle.cos(), atol=1e-6, rtol=0)


def test_a_high_octave_loses_no_digit(backend, generator):
    (points,), (double,) = drawn(backend, torch.float32, torch.rand(50, 1, generator=generator))
    found = ops.frequency_encode(points, 16, identity=False)
    turns = double * 2.0 ** torch.arange(16)
    wanted = torch.cat([(math.pi * turns).sin(), (math.pi * turns).cos()], -1)
    torch.testing.assert_close(found.cpu().double(), wanted, atol=1e-6, rtol=0)


def test_frequency_gradients_are_numeric_ones(backend, generator):
    points, _ = drawn(backend, torch.float64, torch.randn(5, 2, generator=generator))
    assert torch.autograd.gradcheck(
        lambda p: ops.frequency_encode(p, 4), (points[0].requires_grad_(),)
    )


def test_negative_octaves_are_refused():
    with pytest.raises(ValueError, match="octaves is -1"):
        ops.frequency_encode(torch.zeros(1, 3), -1)
