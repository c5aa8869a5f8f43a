"""Avatars whose sound goes through the network of before the regression still speak."""

import json

import pytest
import torch

from nerf_talker.drive.speech import render_speech
from nerf_talker.errors import AvatarError
from nerf_talker.field.audio_network import AudioNetwork
from nerf_talker.train.avatar import load_avatar, save_avatar
from tests.drive.test_drive import write_tone


@pytest.fixture(scope="module")
def former(ellipse_run, tmp_path_factory):
    """An avatar file as the former version wrote it, and its network."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    source = ellipse_run / "avatar.safetensors"
    with safe_open(source, framework="pt") as archive:
        header = json.loads(archive.metadata()["nerf_talker"])
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    torch.manual_seed(0)
    network = AudioNetwork(8, 40, load_avatar(source).talker.mouth)
    rest = {k: v for k, v in tensors.items() if not k.startswith("talker.audio.")}
    audio = {f"talker.audio.{k}": v for k, v in network.state_dict().items()}
    header["config"]["audio"] = {"channels": 8, "dropout": 0.3}
    path = tmp_path_factory.mktemp("former") / "avatar.safetensors"
    save_file(rest | audio, path, {"nerf_talker": json.dumps(header)})
    return path, network


def test_it_says_what_its_network_says(former):
    path, network = former
    avatar = load_avatar(path)
    windows = torch.randn(5, 30, 40)
    assert torch.equal(avatar.talker.audio(windows), network.eval()(windows))


def test_it_renders_and_is_written_again(former, tmp_path):
    avatar = load_avatar(former[0])
    again = tmp_path / "again.safetensors"
    save_avatar(again, avatar.talker, avatar.poses, avatar.metadata)
    speech = write_tone(tmp_path / "a.wav", 0.3)
    render_speech(load_avatar(again), speech, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").stat().st_size > 0


def test_a_tensor_that_is_missing_is_named(former, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(former[0], framework="pt") as archive:
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        header = archive.metadata()
    del tensors["talker.audio.gain"]
    path = tmp_path / "avatar.safetensors"
    save_file(tensors, path, header)
    with pytest.raises(AvatarError, match=r"incomplete or damaged avatar.*audio\.gain"):
        load_avatar(path)
