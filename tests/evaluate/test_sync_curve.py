import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nerf_talker.evaluate.sync_curve import LEAST_FRAMES, sync_curve


def unit(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 6, generator=generator), dim=-1)


@given(late=st.integers(-15, 15), count=st.integers(LEAST_FRAMES, 90), seed=st.integers(0, 99))
def test_a_shifted_copy_is_found_at_its_shift_with_distance_zero(late, count, seed):
    both = unit(count + 30, seed)
    curve = sync_curve(both[15 - late : 15 - late + count], both[15 : 15 + count])
    assert curve.offset == late and curve.distance == pytest.approx(0, abs=1e-6)
    assert curve.confidence == pytest.approx(sorted(curve.distances)[15])


def test_distance_is_that_of_unit_vectors():
    sound = torch.zeros(40, 6)
    sound[:, 0] = 1
    for mouths, apart in ((sound, 0.0), (-sound, 2.0), (sound.roll(1, 1), 2**0.5)):
        curve = sync_curve(mouths, sound)
        assert curve.distance == pytest.approx(apart) and curve.confidence == pytest.approx(0)
        assert curve.offset == 0, "the smaller shift wins a tie"


def test_too_few_frames_are_not_judged():
    assert sync_curve(unit(LEAST_FRAMES - 1, 0), unit(90, 0)) is None
    assert sync_curve(unit(LEAST_FRAMES, 0), unit(90, 0)) is not None
