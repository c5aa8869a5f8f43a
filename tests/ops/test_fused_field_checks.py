"""What the fused field refuses before an address leaves Python."""

import pytest
import torch

from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig, TriPlaneConfig
from nerf_talker.ops import backend


def test_mixed_dtypes_are_refused_by_name():
    fault = backend.fault("cpu")
    if fault:
        pytest.skip(f"back-end cpu: {fault}")
    grid = TriPlaneConfig(levels=2, base=4, finest=8, log2_entries=8)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    mouth = torch.tensor([[0.0] * 3, [0.5] * 3])
    field = HeadField(HeadFieldConfig(grid=grid), 16, 9, box, mouth)
    condition = HeadCondition(
        torch.zeros(1, 16), torch.zeros(1, 9, dtype=torch.float64), torch.zeros(1, 4)
    )
    row = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"condition is torch\.float64, needs torch\.float32"):
        field(torch.zeros(3, 3), torch.tensor([[0.0, 0.0, 1.0]]), condition, row, row)
