"""The renderer folds a frame's constants into the head, and the picture stays the same."""

import pytest
import torch

from nerf_talker.field.head import HeadCondition
from nerf_talker.ops import backend
from nerf_talker.render.fused import FusedRenderer, folded_head
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.talker import Subject, Talker, TalkerConfig
from nerf_talker.types import Camera
from tests.field.compositions import BOX, COMPOSITIONS, MOUTH, small_config


def talker(name):
    torch.manual_seed(0)
    config = TalkerConfig(head=small_config(name), step=0.01)
    made = Talker(config, Subject(Camera(64.0, (16.0, 16.0), 32, 32), BOX, MOUTH, 40, 3)).eval()
    with torch.no_grad():
        for parameter in made.head.parameters():
            parameter.uniform_(-0.3, 0.3)
        for table in made.head.tables():
            table.uniform_(-2, 2)
    return made


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_pictures_are_folded_and_the_same(name, monkeypatch):
    made = talker(name)
    renderer = PortraitRenderer(made)
    assert (renderer.fused is None) or made.config.head.plain
    renderer.fused = None
    generator = torch.Generator().manual_seed(1)
    widths = (16, 9, 4)
    condition = HeadCondition(*(torch.randn(2, w, generator=generator) for w in widths))
    pose = torch.eye(4).repeat(2, 1, 1)
    pose[:, 2, 3] = -0.4
    with (
        torch.enable_grad(),
        backend.using("reference"),
    ):  # a pose may be asked for its gradient: nothing is folded
        rgb, opacity = (value.detach() for value in renderer.head(pose, condition, 1))
    monkeypatch.setattr(made.head, "forward", None)  # it must not be what renders now
    with torch.no_grad(), backend.using("reference"):
        folded = renderer.head(pose, condition, 1)
    assert rgb.std() > 0.02 and opacity.mean() > 0.3  # there is something to see
    torch.testing.assert_close(folded[0], rgb, rtol=0, atol=1e-5)
    torch.testing.assert_close(folded[1], opacity, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", COMPOSITIONS[1:])
def test_one_call_is_for_the_plain_composition_only(name):
    assert FusedRenderer.of(talker(name)) is None


@torch.no_grad()
def test_what_one_native_call_computes_is_not_folded():
    made = talker("portrait")
    condition = HeadCondition(torch.zeros(1, 16), torch.zeros(1, 9), torch.zeros(1, 4))
    with backend.using("reference"):
        assert folded_head(made, condition, 0) is not None
    if backend.fault("cpu"):
        pytest.skip(f"back-end cpu: {backend.fault('cpu')}")
    with backend.using("cpu"):
        assert folded_head(made, condition, 0) is None
        assert folded_head(talker("r2talker"), condition, 0) is not None
