import numpy as np
import pytest
import torch

from nerf_talker.audio import articulation as subject
from nerf_talker.audio.articulation import (
    COLUMNS,
    Articulation,
    ArticulationStream,
    Hearing,
    load_net,
)
from nerf_talker.audio.articulation_net import HOP, LOOK_AHEAD_SECONDS, RATE, ArticulationNet
from nerf_talker.errors import WeightsError


def sound(seconds, seed=0):
    """Something that swells, hisses and hums."""
    chance = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    hum = sum(np.sin(2 * np.pi * 120 * k * time + k) / k for k in range(1, 20))
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time)
    return (0.1 * swell * hum + 0.02 * chance.normal(size=len(time))).astype(np.float32)


def articulation(samples, rate):
    return Articulation().features(samples, rate)


def test_shape_rate_and_range():
    found = articulation(sound(1.01), RATE)
    assert found.values.shape == (51, len(COLUMNS)) and found.rate == 50 and found.offset == 0
    assert (found.values >= 0).all() and (found.values <= 1).all()
    assert np.allclose(found.values[:, :29].sum(1), 1, atol=1e-5)


def test_the_network_is_as_small_as_promised():
    weights = sum(value.numel() for value in ArticulationNet().parameters())
    assert weights <= 2_000_000
    assert subject.WEIGHTS.stat().st_size <= 8_000_000
    assert LOOK_AHEAD_SECONDS <= 0.12


@pytest.mark.parametrize("piece", [160, 997, 16000])
def test_streaming_equals_offline(piece):
    samples = sound(2.3)
    stream = ArticulationStream()
    rows = [stream.push(samples[k : k + piece]) for k in range(0, len(samples), piece)]
    streamed = np.concatenate([*rows, stream.finish()])
    assert np.abs(streamed - articulation(samples, RATE).values).max() < 1e-5


def test_long_sound_does_not_depend_on_the_block(monkeypatch):
    samples = sound(5)
    whole = articulation(samples, RATE).values
    monkeypatch.setattr(subject, "BLOCK", 37)
    assert np.abs(articulation(samples, RATE).values - whole).max() < 1e-5


def test_a_row_waits_for_no_more_than_the_look_ahead():
    samples = sound(3)
    changed = samples.copy()
    first = 2 * RATE
    changed[first:] += 0.3
    same = np.abs(articulation(samples, RATE).values - articulation(changed, RATE).values).max(1)
    untouched = int((first - LOOK_AHEAD_SECONDS * RATE) / HOP)
    assert (same[: untouched + 1] < 1e-6).all() and same[untouched + 8 :].max() > 1e-3


def test_other_sample_rates_tell_the_same():
    from scipy.signal import resample_poly

    samples = sound(2)
    high = resample_poly(samples, 3, 1)
    same = np.abs(articulation(high, 48000).values - articulation(samples, RATE).values)
    assert same.mean() < 0.02


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="reinstall"):
        load_net(path)


def test_gradients_reach_every_weight():
    net = ArticulationNet()
    heard, _ = net(torch.randn(1, 32000) * 0.1, torch.tensor([-45.0]))
    (heard.logits.square().sum() + heard.curves.sum()).backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().max() > 0 for p in net.parameters())


def test_features_are_the_same_however_many_cores_there_are():
    threads, heard = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            heard.append(Hearing().features(sound(1.0)).values)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(*heard)
