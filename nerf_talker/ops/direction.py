"""Encodings of single vectors: directions by spherical harmonics, places by frequencies."""

from __future__ import annotations

from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for
from nerf_talker.ops.checks import check_floating, check_shape, single
from nerf_talker.ops.register import operators

SH_WIDTH = 16  # four bands: degrees 0 to 3

MOST_BANDS = 4


def spherical_harmonics(directions: Tensor, degree: int = MOST_BANDS) -> Tensor:
    """Real spherical harmonics (Sloan 2008, signs as in instant-ngp).

    Args:
        directions: (N, 3) unit vectors.
        degree: Number of bands, 1 to 4.

    Returns:
        (N, degree**2), band by band; differentiable in the directions.

    Raises:
        ValueError: A shape or dtype does not fit, or there is no such degree.
    """
    if degree not in range(1, MOST_BANDS + 1):
        raise ValueError(f"spherical_harmonics: degree is {degree}, needs 1 to {MOST_BANDS}")
    check_shape("spherical_harmonics", "directions", directions, None, 3)
    directions = single(directions)
    check_floating("spherical_harmonics", directions=directions)
    if library_for(directions) is not None:
        return operators().spherical_harmonics(directions, degree)
    return reference.spherical_harmonics(directions, degree)


def frequency_encode(points: Tensor, octaves: int, identity: bool = True) -> Tensor:
    """Sines and cosines of pi 2^k x for k below ``octaves`` (NeRF, Mildenhall et al. 2020, eq. 4).

    Args:
        points: (M, D), in units in which a cell of the lowest octave is 2 long.
        octaves: Number of frequencies, at least 0.
        identity: Begin with the points themselves.

    Returns:
        (M, D * (2 * octaves + identity)): the points if wanted, all sines, all cosines; octave by
        octave and within one coordinate by coordinate. Differentiable in the points.

    Raises:
        ValueError: A shape or dtype does not fit, or ``octaves`` is negative.
    """
    if octaves < 0:
        raise ValueError(f"frequency_encode: octaves is {octaves}, needs to be at least 0")
    check_shape("frequency_encode", "points", points, None, None)
    points = single(points)
    check_floating("frequency_encode", points=points)
    if library_for(points) is not None:
        return operators().frequency_encode(points, octaves, identity)
    return reference.frequency_encode(points, octaves, identity)
