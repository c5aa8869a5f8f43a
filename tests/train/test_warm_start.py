"""Starting from another's avatar."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from nerf_talker.data.manifest import CameraModel
from nerf_talker.errors import AvatarError, ConfigError
from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode, MouthCodeConfig
from nerf_talker.render.talker import Talker
from nerf_talker.train.avatar import describe, load_avatar, reference_poses, save_avatar
from nerf_talker.train.preparation import fit_statistics, subject
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.trainer import Trainer
from nerf_talker.train.warm_start import turn_towards, warm_start
from tests.train.runs import QUICK, losses, trainer
from tests.train.test_presets import tiny


def test_a_run_from_an_avatar_begins_where_it_was(ellipse, ellipse_run, tmp_path):
    short = QUICK | {"steps": 10, "log_interval": 1}
    cold = trainer(ellipse, tmp_path / "cold", **short)
    warm = trainer(ellipse, tmp_path / "warm", **short, init=str(ellipse_run))
    cold.fit()
    warm.fit()
    # Both see the same pixels at every step.
    pairs = zip(losses(tmp_path / "warm"), losses(tmp_path / "cold"), strict=True)
    assert all(ahead[1] < behind[1] for ahead, behind in pairs)
    kept = load_avatar(ellipse_run).talker
    assert not torch.equal(warm.talker.head.table, kept.head.table.float())


def test_statistics_stay_the_new_person_s(ellipse, ellipse_run, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    other = load_avatar(ellipse_run).talker
    with torch.no_grad():
        made.talker.expression.mean.fill_(0.25)
        made.talker.appearance.weight[1:] = 0.5
    box = made.talker.head.box.clone()
    warm_start(made.talker, ellipse_run)
    assert torch.equal(made.talker.head.box, box)
    assert bool((made.talker.expression.mean == 0.25).all())
    assert bool((made.talker.appearance.weight[1:] == 0.5).all())
    assert torch.equal(made.talker.head.table, other.head.table.float())


def test_the_code_turns_towards_the_other_s_and_keeps_its_inverse():
    generator = np.random.default_rng(0)
    shapes = generator.normal(size=(200, 58, 3)) * np.linspace(1e-3, 5e-3, 58)[:, None]
    valid = np.ones(200, bool)
    ours, theirs = (MouthCode(MouthCodeConfig(components=8)) for _ in range(2))
    ours.fit(shapes.astype(np.float32), valid)
    theirs.fit(shapes.astype(np.float32), valid)
    with torch.no_grad():
        theirs.basis.copy_(-theirs.basis.flip(0))
        theirs.scale.copy_(theirs.scale.flip(0))
    turn_towards(ours, theirs)
    assert torch.allclose(ours.basis, theirs.basis, atol=1e-4)
    assert torch.allclose(ours.scale, theirs.scale, rtol=1e-3)
    code = torch.randn(5, 8)
    assert torch.allclose(ours(ours.landmarks(code)), code, atol=1e-3)


@torch.no_grad()
def test_landmarks_that_the_head_looks_up_stay_when_the_code_turns(ellipse, tmp_path):
    sizes, train = tiny("r2talker")
    path, run = tmp_path / "other.safetensors", RunFolder(tmp_path / "run")
    wanted = {"steps": 1, "init": str(path)}
    made = Trainer(ellipse, run, sizes, train.model_copy(update=wanted), quiet=True)
    fit_statistics(made.talker, ellipse)
    points = torch.from_numpy(ellipse.track.canonical_landmarks[:20][:, list(MOUTH_POINTS)])
    before = made.talker.head.landmarks.landmarks(made.talker.mouth(points))
    own = made.talker.mouth.basis.clone()
    made.talker.mouth.basis.copy_(own.flip(0))
    made.talker.mouth.scale.copy_(made.talker.mouth.scale.flip(0))
    saved(made.talker, ellipse, path)
    run.start("test\n")
    with torch.enable_grad():
        made.fit()
    assert not torch.allclose(made.talker.mouth.basis, own, atol=0.1)
    after = made.talker.head.landmarks.landmarks(made.talker.mouth(points))
    assert torch.allclose(after, before, atol=1e-3)


def saved(talker, ellipse, path):
    """A talker's avatar file."""
    info = describe(talker, ellipse, 0.0, 0, {})
    save_avatar(path, talker, reference_poses(ellipse), info)
    return path


@pytest.mark.parametrize(
    ("part", "setting", "wanted"),
    [
        ("head", {"hidden": 24}, "head.hidden"),
        ("head", {"encoding": "grid3d"}, "head.encoding"),
        ("head", {"motion": 0.02}, "head.motion"),
        ("head", {"conditioners": ("expression", "mouth")}, "head.conditioners"),
        ("mouth", {"components": 12}, "mouth.components"),
    ],
)
def test_an_avatar_of_another_configuration_is_refused_by_name(
    ellipse, ellipse_run, tmp_path, part, setting, wanted
):
    """Three of these have tensors of the same shapes that mean something else."""
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    before = getattr(made.sizes, part)
    update = {part: type(before).model_validate(before.model_dump() | setting)}
    made.sizes = made.sizes.model_copy(update=update)
    made.build()
    with pytest.raises(
        ConfigError, match=rf"talker\.{wanted} .*, this run has .* leave out --init"
    ):
        warm_start(made.talker, ellipse_run)


def test_sizes_are_compared_where_no_network_hears_the_mouth_code(ellipse, tmp_path):
    """A head that looks landmarks up has no layer as wide as the code."""
    sizes, _ = tiny("r2talker")
    made = Talker(sizes, subject(ellipse))
    path = saved(made, ellipse, tmp_path / "other.safetensors")
    fewer = sizes.model_copy(update={"mouth": MouthCodeConfig(components=8)})
    with pytest.raises(ConfigError, match=r"talker\.mouth\.components 16, this run has 8"):
        warm_start(Talker(fewer, subject(ellipse)), path)
    grid = sizes.head.landmarks.model_copy(update={"finest": 100})
    head = sizes.head.model_copy(update={"landmarks": grid})
    with pytest.raises(ConfigError, match=r"talker\.head\.landmarks\.finest 128, this run has 100"):
        warm_start(Talker(sizes.model_copy(update={"head": head}), subject(ellipse)), path)


def test_no_avatar_to_start_from_is_said(ellipse, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    with pytest.raises(AvatarError, match="no avatar here"):
        warm_start(made.talker, tmp_path / "nowhere")


def test_only_the_head_comes_over_from_a_clip_of_other_sizes(ellipse, tmp_path):
    """Another length, picture and speech features; its unused parts may be set otherwise."""
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    fit_statistics(made.talker, ellipse)
    head = made.sizes.head.model_copy(update={"film_hidden": 7})
    sizes = made.sizes.model_copy(update={"head": head})
    person = subject(ellipse)
    size = {"frames": 7, "audio_features": 5, "camera": person.camera.scaled(48)}
    other = Talker(sizes, replace(person, box=1.1 * person.box, **size))
    fit_mouth = {name: value.clone() for name, value in made.talker.mouth.state_dict().items()}
    other.mouth.load_state_dict(fit_mouth)
    info = describe(other, ellipse, 0.0, 0, {}).model_copy(
        update={"camera": CameraModel(**asdict(other.camera))}
    )
    path = tmp_path / "other.safetensors"
    save_avatar(path, other, reference_poses(ellipse), info)
    theirs = load_avatar(path).talker
    before = {name: value.clone() for name, value in made.talker.state_dict().items()}
    camera = made.talker.camera
    warm_start(made.talker, path)
    learned = {f"head.{name}" for name, _ in made.talker.head.named_parameters()}
    for name, value in made.talker.state_dict().items():
        if name in learned:
            assert torch.equal(value, theirs.state_dict()[name].float()), name
        else:
            assert torch.allclose(value, before[name], atol=1e-5), name
    assert made.talker.camera == camera
