"""Cells in bits."""

import pytest
import torch

from nerf_talker import ops


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (8,), (9,), (3, 5, 2), (16, 16, 16)])
def test_unpacking_gives_the_cells_back(shape, generator):
    cells = torch.rand(shape, generator=generator) < 0.4
    packed = ops.pack_bits(cells)
    assert packed.dtype == torch.uint8 and len(packed) == -(-cells.numel() // 8)
    assert torch.equal(ops.unpack_bits(packed, cells.numel()).reshape(shape), cells)


def test_the_first_cell_is_the_lowest_bit():
    cells = torch.zeros(10, dtype=torch.bool)
    cells[[0, 3, 9]] = True
    assert ops.pack_bits(cells).tolist() == [0b1001, 0b10]


def test_arguments_are_checked_by_name():
    with pytest.raises(ValueError, match=r"cells is torch\.float32, needs bool"):
        ops.pack_bits(torch.zeros(3))
    with pytest.raises(ValueError, match=r"shape \(2,\), needs uint8 of shape \(1,\)"):
        ops.unpack_bits(torch.zeros(2, dtype=torch.uint8), 5)
