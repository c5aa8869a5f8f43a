"""Encodings of single vectors in pure torch; part of :mod:`nerf_talker.ops.reference`."""

from __future__ import annotations

import torch
from torch import Tensor


def spherical_harmonics(directions: Tensor, degree: int = 4) -> Tensor:
    """The first ``degree`` bands of (N, 3) unit vectors: (N, degree**2)."""
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    values = [
        0.28209479177387814 + 0 * x,
        -0.4886025119029199 * y,
        0.4886025119029199 * z,
        -0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        -1.0925484305920792 * y * z,
        0.31539156525252005 * (3 * zz - 1),
        -1.0925484305920792 * x * z,
        0.5462742152960396 * (xx - yy),
        -0.5900435899266435 * y * (3 * xx - yy),
        2.890611442640554 * x * y * z,
        -0.4570457994644658 * y * (5 * zz - 1),
        0.3731763325901154 * z * (5 * zz - 3),
        -0.4570457994644658 * x * (5 * zz - 1),
        1.445305721320277 * z * (xx - yy),
        -0.5900435899266435 * x * (xx - 3 * yy),
    ]
    return torch.stack(values[: degree**2], -1)


def frequency_encode(points: Tensor, octaves: int, identity: bool = True) -> Tensor:
    """Sines and cosines of (M, D) points; see :func:`nerf_talker.ops.frequency_encode`."""
    turns = [points * 2.0**octave for octave in range(octaves)]
    # Whole turns are taken off before pi comes in: exact, so that a high octave loses no digit.
    angles = [torch.pi * (turn - 2 * torch.round(turn.detach() / 2)) for turn in turns]
    parts = [points] if identity else []
    parts += [angle.sin() for angle in angles] + [angle.cos() for angle in angles]
    return torch.cat(parts, -1) if parts else points[:, :0]
