import pytest
import torch

from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.field.regions import UPPER_POINTS, RegionPrior
from nerf_talker.losses import gate_sparsity
from tests.field.compositions import BOX, face_shape, samples, small_field


@pytest.fixture
def regions():
    made = RegionPrior(BOX)
    made.fit(face_shape())
    return made


def test_lips_and_lids_have_their_own_regions(regions):
    shape = torch.from_numpy(face_shape())
    lips, lids = regions(shape[list(MOUTH_POINTS)]), regions(shape[list(UPPER_POINTS)])
    assert float(lips[:, 0].min()) > 0.9 and float(lips[:, 1].max()) < 0.05
    assert float(lids[:, 1].min()) > 0.9 and float(lids[:, 0].max()) < 0.05
    back = regions(torch.tensor([[0.0, 0.0, 0.09], [0.0, 0.05, 0.09]]))
    assert float(back.max()) < 0.02


def test_the_prior_speaks_in_bounded_odds(regions):
    points = torch.rand(100, 3) * 0.4 - 0.2
    odds = regions.log_odds(points)
    assert bool(torch.isfinite(odds).all()) and float(odds.abs().max()) <= 4 + 1e-5


def test_gates_are_drawn_to_their_region():
    field = small_field("synctalk", torch.float32)
    with torch.no_grad():
        for table in field.tables():
            table.zero_()
    shape = torch.from_numpy(face_shape())
    points = torch.stack([shape[MOUTH_POINTS[0]], shape[UPPER_POINTS[0]]])
    _, directions, condition, _, _ = samples(2, torch.float32)
    zero = torch.zeros(2, dtype=torch.int64)
    at_lips, at_lids = field(points, directions, condition, zero, zero).features.detach()
    assert float(at_lips[0]) > 0.9 > 0.1 > float(at_lips[1])
    assert float(at_lids[1]) > 0.9 > 0.1 > float(at_lids[0])


def test_gates_pay_outside_their_region_only():
    gates = torch.tensor([[0.4, 0.1], [0.4, 0.1], [0.0, 0.0]])
    opacity = torch.tensor([0.8, 0.8, 0.0])
    inside = torch.tensor([[1.0, 1.0], [0.0, 0.5], [0.0, 0.0]])
    paid = gate_sparsity(gates, opacity, inside)
    assert paid.tolist() == pytest.approx([0.0, 0.4 + 0.05, 0.0])


def test_a_ray_cannot_pay_less_by_letting_light_through():
    scale = torch.tensor(1.0, requires_grad=True)
    gates, opacity = torch.tensor([[0.4, 0.1]]) * scale, torch.tensor([0.8]) * scale
    (slope,) = torch.autograd.grad(gate_sparsity(gates, opacity, torch.zeros(1, 2)).sum(), scale)
    assert float(slope) == pytest.approx(0, abs=1e-6)
