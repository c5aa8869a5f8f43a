import numpy as np
import torch

from nerf_talker.field.audio_network import AudioNetwork
from nerf_talker.field.closed_mouth import closed_code, inner_gap, presumed_closed_code
from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode, MouthCodeConfig


def speaking(frames=400):
    """A mouth code of lips that open by 0 to 2 cm and get wider on their own, and the codes."""
    chance = np.random.default_rng(0)
    opening = 0.01 * (1 + np.sin(np.arange(frames) * 0.3))
    points = np.zeros((frames, len(MOUTH_POINTS), 3))
    points += chance.normal(0, 0.02, points.shape[1:])
    lower = MOUTH_POINTS.index(14)
    points[:, lower] = points[:, MOUTH_POINTS.index(13)]
    points[:, lower, 1] += 0.002 + opening
    points[..., 0] *= 1 + chance.normal(0, 0.05, (frames, 1))
    mouth = MouthCode(MouthCodeConfig(components=4, limit=6.0))
    points = points.astype(np.float32)
    mouth.fit(points, np.ones(frames, bool))
    return mouth, mouth(torch.from_numpy(points))


def test_the_closed_mouth_is_the_mean_of_the_narrowest():
    mouth, codes = speaking()
    gaps = inner_gap(mouth.landmarks(codes))
    shut = closed_code(mouth, codes)
    assert float(inner_gap(mouth.landmarks(shut[None]))) < float(gaps.quantile(0.06))
    assert float(shut[2:].abs().max()) < 0.5, "no one frame's expression"


def test_without_frames_the_gap_is_closed_along_the_shortest_way():
    mouth, codes = speaking()
    gaps = inner_gap(mouth.landmarks(codes))
    shut = presumed_closed_code(mouth)
    assert float(inner_gap(mouth.landmarks(shut[None]))) < float(gaps.quantile(0.2))
    assert float(shut.norm()) < 1.31


def test_a_former_network_knows_a_closed_mouth_and_no_level():
    mouth, _ = speaking()
    network = AudioNetwork(8, 5, mouth)
    assert torch.equal(network.closed, presumed_closed_code(mouth)) and network.level.isinf()
    assert {"closed", "level"}.isdisjoint(network.state_dict())
    assert network(torch.randn(3, 30, 5)).shape == (3, 4)
