import hashlib

import numpy as np
import pytest

from nerf_talker.errors import WeightsError
from nerf_talker.weights import REGISTRY, locate, resolve
from nerf_talker.weights.checks import content_sha256
from nerf_talker.weights.registry import entry


@pytest.mark.parametrize("model", REGISTRY.values(), ids=lambda m: m.name)
def test_every_entry_is_complete(model):
    assert model.size > 0 and len(model.sha256) == 64 and model.licence and model.purpose
    assert model.origin
    assert model.url is None or model.url.startswith("https://")
    assert model.package is None or len(model.package.sha256) == 64


def test_unknown_name_is_refused_by_name():
    with pytest.raises(WeightsError, match="nope: unknown model file"):
        entry("nope")
    with pytest.raises(WeightsError, match="nope"):
        resolve("nope")
    with pytest.raises(WeightsError, match="nope"):
        locate("nope")


def test_content_hash_ignores_order_and_dates_but_no_value(tmp_path):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4)).astype(np.float32), np.arange(5)
    np.savez(tmp_path / "one.npz", a=a, b=b)
    np.savez_compressed(tmp_path / "two.npz", b=b, a=a)
    np.savez(tmp_path / "three.npz", a=a.reshape(4, 3), b=b)
    np.savez(tmp_path / "four.npz", a=a.astype(np.float64), b=b)
    hashes = [content_sha256(tmp_path / f"{n}.npz") for n in ("one", "two", "three", "four")]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_file_at_hand_has_the_registered_size_and_hash(name):
    path, model = locate(name), REGISTRY[name]
    if path is None:
        pytest.skip(f"{name} is not on this machine")
    if model.content_sha256 is None:
        assert path.stat().st_size == model.size
        assert hashlib.sha256(path.read_bytes()).hexdigest() == model.sha256
    else:
        assert content_sha256(path) == model.content_sha256
