"""Direction encoding."""

from __future__ import annotations

from torch import Tensor

from nerf_talker.ops import reference
from nerf_talker.ops.backend import library_for
from nerf_talker.ops.checks import check_floating, check_shape, single
from nerf_talker.ops.register import operators

SH_WIDTH = 16  # four bands: degrees 0 to 3


def spherical_harmonics(directions: Tensor) -> Tensor:
    """Real spherical harmonics of four bands (Sloan 2008, signs as in instant-ngp).

    Args:
        directions: (N, 3) unit vectors.

    Returns:
        (N, 16).

    Raises:
        ValueError: A shape or dtype does not fit.
    """
    check_shape("spherical_harmonics", "directions", directions, None, 3)
    directions = single(directions)
    check_floating("spherical_harmonics", directions=directions)
    if library_for(directions) is not None:
        return operators().spherical_harmonics(directions)
    return reference.spherical_harmonics(directions)
