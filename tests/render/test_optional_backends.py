"""Back-ends of other packages: refused in one sentence, and given what they ask for.

What is here runs against stand-ins (tests/optional_packages.py) and shows the calls and the shapes
alone. The real packages are compared on a GPU, in tests/ops/test_cuda_packages.py.
"""

import inspect
import sys

import pytest
import torch

from nerf_talker import ops
from nerf_talker.cli import main
from nerf_talker.config import validate
from nerf_talker.errors import BackendError, ConfigError
from nerf_talker.experiment import ExperimentConfig
from nerf_talker.field.head import HeadCondition, HeadFieldConfig, TriPlaneConfig
from nerf_talker.field.tiny_head import TinyHeadField
from nerf_talker.ops.optional import cuda_package
from nerf_talker.render import nerfacc_rays
from nerf_talker.render.fused import FusedRenderer
from nerf_talker.render.ray_operators import RenderConfig
from nerf_talker.render.talker import Subject, Talker, TalkerConfig
from nerf_talker.train.avatar import describe
from nerf_talker.types import Camera
from tests import optional_packages

BOX = torch.tensor([[-0.1, -0.12, -0.1], [0.1, 0.12, 0.1]])
MOUTH = torch.tensor([[0.0, 0.04, -0.05], [0.06, 0.05, 0.07]])
KEYS = {
    "tinycudann": ("head", "talker.head.backend"),
    "nerfacc": ("render", "talker.render.backend"),
}


def config(**sections):
    return validate(ExperimentConfig, {"talker": sections}, "here").talker


def talker(wanted):
    return Talker(wanted, Subject(Camera(128.0, (16.0, 16.0), 32, 32), BOX, MOUTH, 40, 3))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def a_gpu(monkeypatch):
    """As far as the check before the import can see."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def stand_ins(a_gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "nerfacc", optional_packages.nerfacc())
    monkeypatch.setitem(sys.modules, "tinycudann", optional_packages.tinycudann())


@pytest.mark.parametrize("name", KEYS)
def test_without_a_gpu_the_wish_is_refused_with_the_cure(no_gpu, name):
    section, key = KEYS[name]
    with pytest.raises(BackendError) as caught:
        talker(config(**{section: {"backend": name}}))
    wanted = f"{key} is {name}, which needs a CUDA GPU, and torch sees none; set {key} to native"
    assert str(caught.value) == wanted


@pytest.mark.parametrize("name", KEYS)
def test_without_the_package_the_way_to_it_is_named(a_gpu, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    section, key = KEYS[name]
    with pytest.raises(BackendError, match=rf"^{key} is {name}, .* pip install .*or set {key} to"):
        talker(config(**{section: {"backend": name}}))


def test_a_package_that_breaks_on_import_is_no_traceback(a_gpu, monkeypatch, tmp_path):
    (tmp_path / "tinycudann.py").write_text("raise EnvironmentError('Unknown\\ncapability')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tinycudann", raising=False)
    with pytest.raises(BackendError, match=r"cannot be imported \(Unknown capability\); run pip"):
        cuda_package("tinycudann", "talker.head.backend")


def test_training_with_an_absent_back_end_is_one_line(ellipse_folder, no_gpu, tmp_path, capsys):
    wanted = ["train", str(ellipse_folder), "-o", str(tmp_path / "run"), "-c", "smoke"]
    assert main([*wanted, "--talker.render.backend", "nerfacc"]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: talker.render.backend is nerfacc") and "\n" not in said
    assert not (tmp_path / "run").exists()


def test_only_known_back_ends_can_be_wished_for():
    with pytest.raises(ConfigError, match=r"talker\.render\.backend"):
        config(render={"backend": "torch"})
    assert config() == TalkerConfig(render=RenderConfig(backend="native"))


def test_the_stand_ins_have_the_arguments_of_the_real_nerfacc():
    real = pytest.importorskip("nerfacc", reason="nerfacc is not installed")
    for name in ("traverse_grids", "render_weight_from_density", "accumulate_along_rays"):
        theirs, ours = (inspect.signature(getattr(m, name)) for m in (real, optional_packages))
        assert list(theirs.parameters) == list(ours.parameters), name
        defaults = [{k: p.default for k, p in s.parameters.items()} for s in (theirs, ours)]
        assert defaults[0] == defaults[1], name


def rays(generator, count=50):
    origins = torch.randn(count, 3, generator=generator) * 0.02 - torch.tensor([0, 0, 0.5])
    targets = (torch.rand(count, 3, generator=generator) - 0.5) * 0.3
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    return origins, directions, *ops.ray_box(origins, directions, BOX)


def test_marching_with_nerfacc_hands_over_our_lattice(stand_ins, generator):
    cells = torch.rand(16, 16, 16, generator=generator) < 0.3
    jitter = torch.rand(50, generator=generator)
    given = (*rays(generator), cells, BOX, 0.01, jitter)
    found, wanted = nerfacc_rays.march(*given), ops.march(*given)
    assert len(wanted.starts) > 100
    assert torch.equal(found.ray_indices, wanted.ray_indices)
    assert torch.equal(found.ray_offsets, wanted.ray_offsets)
    torch.testing.assert_close(found.starts, wanted.starts, atol=1e-6, rtol=0)


def test_compositing_with_nerfacc_keeps_the_contract(stand_ins, generator):
    counts = torch.tensor([3, 0, 5])
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    ray = torch.repeat_interleave(torch.arange(3), counts)
    density, values = torch.rand(8, generator=generator) * 40, torch.rand(8, 6, generator=generator)
    given = (density, values, torch.full((8,), 0.02), ray, offsets)
    for found, wanted in zip(nerfacc_rays.composite(*given), ops.composite(*given), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)
    weights = nerfacc_rays.render_weights(density, *given[2:])
    torch.testing.assert_close(weights, ops.render_weights(density, *given[2:]))


def test_an_avatar_does_not_ask_for_nerfacc(stand_ins, ellipse):
    made = talker(config(render={"backend": "nerfacc"}))
    assert made.rays.march is nerfacc_rays.march and FusedRenderer.of(made) is None
    info = describe(made, ellipse, 0.0, 0, {})
    assert info.config == TalkerConfig()


def tiny_head(**sizes):
    wanted = HeadFieldConfig(backend="tinycudann", **sizes)
    return TinyHeadField(wanted, codes=5, expressions=3, box=BOX, mouth=MOUTH)


def test_tiny_networks_and_grids_have_the_native_sizes(stand_ins):
    grid = TriPlaneConfig(levels=4, base=8, finest=64, log2_entries=12, features=2)
    head = tiny_head(grid=grid, hidden=64, geometry=10, gate_hidden=48)
    assert head.density_net.net.widths == [24 + 5 + 3, 64, 64, 11]
    assert head.colour_net.net.widths == [10 + 16 + 4, 64, 3]
    assert head.mouth_gate.net.widths == [24, 48, 5]
    assert head.density_net.net.config["otype"] == "FullyFusedMLP"
    assert head.mouth_gate.net.config["otype"] == "CutlassMLP"  # 48 is no width of the fused one
    encoding = head.planes[0].config
    assert encoding["per_level_scale"] ** 3 * encoding["base_resolution"] == pytest.approx(64)
    assert len(head.tables()) == 3 and "table" not in dict(head.named_parameters())
    assert sum(p.numel() for p in head.tables()) == 3 * 2 * 8


def test_a_tiny_head_keeps_the_field_s_contract(stand_ins, monkeypatch, generator):
    head = tiny_head(grid=TriPlaneConfig(levels=3, finest=32, log2_entries=10), hidden=32)
    count = 7
    driving = HeadCondition(*(torch.randn(2, w, generator=generator) for w in (5, 3, 4)))
    points = (torch.rand(count, 3, generator=generator) - 0.5) * 0.4
    given = (points, torch.tensor([[0.0, 0.0, 1.0]]), driving, *torch.zeros(2, count).long())
    with pytest.raises(BackendError, match="computes on a CUDA GPU only, and the head is on the c"):
        head(*given)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    out = head(*given)
    assert out.density.shape == (count,) and out.density.dtype == torch.float32
    assert out.rgb.shape == (count, 3) and out.features.shape == (count, 2)
    (out.rgb.sum() + out.density.log().sum()).backward()
    assert all(bool(p.grad.abs().sum() > 0) for p in head.tables())
