"""Sets of cells in one bit each, as a file keeps them.

In torch alone: a file is written and read once. A march reads whole bytes: at 64 cells an edge they
lie in a processor's cache as they are, and taking bits apart made it a tenth slower; only from 128
cells an edge on were bits faster.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.ops.checks import check_bool

_BITS = 8


def pack_bits(cells: Tensor) -> Tensor:
    """Cells of any shape, in row-major order, eight to a byte, the first in the lowest bit.

    Args:
        cells: bool.

    Returns:
        (ceil(cells / 8),) uint8; bits beyond the last cell are 0.

    Raises:
        ValueError: The cells are not bool.
    """
    check_bool("pack_bits", cells=cells)
    flat = cells.reshape(-1)
    missing = -len(flat) % _BITS
    flat = torch.cat([flat, flat.new_zeros(missing)]).reshape(-1, _BITS)
    places = 2 ** torch.arange(_BITS, device=cells.device)
    return (flat * places).sum(-1).to(torch.uint8)


def unpack_bits(packed: Tensor, count: int) -> Tensor:
    """The first ``count`` cells of :func:`pack_bits`.

    Args:
        packed: (ceil(count / 8),) uint8.
        count: Cells.

    Returns:
        (count,) bool.

    Raises:
        ValueError: The bytes are not as many as the cells need, or not uint8.
    """
    wanted = -(-count // _BITS)
    if packed.dtype != torch.uint8 or packed.shape != (wanted,):
        have = f"{packed.dtype} of shape {tuple(packed.shape)}"
        raise ValueError(f"unpack_bits: packed is {have}, needs uint8 of shape ({wanted},)")
    places = torch.arange(_BITS, device=packed.device)
    return ((packed[:, None] >> places) & 1).bool().reshape(-1)[:count]
