import pytest
import torch

from nerf_talker.errors import WeightsError
from nerf_talker.losses.sync_net import SyncNet, load_syncnet

# Index and shape of weights in the state dict that circulates.
PUBLISHED = {
    "netcnnaud.0": (64, 1, 3, 3), "netcnnaud.4": (192, 64, 3, 3), "netcnnaud.8": (384, 192, 3, 3),
    "netcnnaud.11": (256, 384, 3, 3), "netcnnaud.14": (256, 256, 3, 3),
    "netcnnaud.18": (512, 256, 5, 4), "netfcaud.0": (512, 512), "netfcaud.3": (1024, 512),
    "netcnnlip.0": (96, 3, 5, 7, 7), "netcnnlip.4": (256, 96, 1, 5, 5),
    "netcnnlip.8": (256, 256, 1, 3, 3), "netcnnlip.11": (256, 256, 1, 3, 3),
    "netcnnlip.14": (256, 256, 1, 3, 3), "netcnnlip.18": (512, 256, 1, 6, 6),
    "netfclip.0": (512, 512), "netfclip.3": (1024, 512),
}  # fmt: skip
NORMS = {
    "netcnnaud": (1, 5, 9, 12, 15, 19), "netfcaud": (1,),
    "netcnnlip": (1, 5, 9, 12, 15, 19), "netfclip": (1,),
}  # fmt: skip


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return SyncNet().state_dict()


def old(state):
    """As files written before batch normalisation counted its batches."""
    return {k: v.clone() for k, v in state.items() if not k.endswith("num_batches_tracked")}


def test_layout_is_the_published_one(state):
    weights = {k[: -len(".weight")]: tuple(v.shape) for k, v in state.items() if v.ndim > 1}
    assert weights == PUBLISHED
    norms = {k.rsplit(".", 1)[0] for k in state if k.endswith("running_mean")}
    assert norms == {f"{part}.{k}" for part, places in NORMS.items() for k in places}


def test_windows_become_embeddings_with_a_gradient(state):
    net = SyncNet().eval()
    faces = (255 * torch.rand(1, 3, 5, 224, 224)).requires_grad_()
    cepstra = torch.randn(2, 1, 13, 20, requires_grad=True)
    apart = net.embed_faces(faces) - net.embed_sound(cepstra)
    assert apart.shape == (2, 1024)
    apart.norm(dim=1).sum().backward()
    assert faces.grad.abs().sum() > 0 and cepstra.grad.abs().sum() > 0


@pytest.mark.parametrize("trim", [old, dict])
def test_a_checkpoint_of_that_layout_is_read_frozen(state, tmp_path, trim):
    torch.save(trim(state), tmp_path / "weights.model")
    net = load_syncnet(tmp_path / "weights.model")
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    loaded = net.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in old(state).items())


@pytest.mark.parametrize(
    "spoil, why",
    [
        (lambda s: s.pop("netcnnlip.18.weight"), "lacks 'netcnnlip.18.weight'"),
        (lambda s: s.update(extra=torch.ones(1)), "unknown 'extra'"),
        (lambda s: s.update({"netfcaud.3.bias": torch.ones(7)}), r"shape \(7,\)"),
        (lambda s: s.clear(), "holds no SyncNet"),
    ],
)
def test_another_network_is_refused_in_one_sentence(state, tmp_path, spoil, why):
    changed = old(state)
    spoil(changed)
    torch.save(changed, tmp_path / "other.model")
    with pytest.raises(WeightsError, match=why) as caught:
        load_syncnet(tmp_path / "other.model")
    assert "\n" not in str(caught.value)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    for name, content in (("text", b"hello"), ("empty", b""), ("zip", b"PK\x03\x04broken")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
            load_syncnet(tmp_path / name)
    torch.save([1, 2], tmp_path / "list")
    with pytest.raises(WeightsError, match="holds no SyncNet"):
        load_syncnet(tmp_path / "list")
    with pytest.raises(WeightsError, match="no such file"):
        load_syncnet(tmp_path / "gone")
