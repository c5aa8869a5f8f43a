"""Kill-and-resume equals an unbroken run, wherever the kill falls."""

import pytest
import torch

from nerf_talker.train import trainer as trainer_module
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.checkpoint import latest_checkpoint, load_checkpoint
from nerf_talker.train.config import DetailConfig, TrainConfig
from nerf_talker.train.learner import Learner
from nerf_talker.train.snapshot import BEST
from tests.train.runs import QUICK, losses, trainer

DETAIL = QUICK | {
    "steps": 30,
    "log_interval": 1,
    "checkpoint_interval": 5,
    "validation_interval": 10,
    "keep": "best",
    "detail": {"mouth_steps": 10, "joint_steps": 10, "size": 32, "ssim": 0.1},
    "poses": {"refine": True, "focal": True, "start": 6, "rays": 64},
    "gate_sparsity": 1e-3,
    "appearance_smoothness": 1e-2,
    "lip_consistency": {"weight": 1e-2, "start": 4, "ramp": 10},
}
DETAIL["sampler"] = {"rays": 600, "frames": 8, "errors": 0.05, "eyes": 0.05, "hair": 0.05}
DETAIL["sampler"] |= {"head": 0.2, "face": 0.4}


class Killed(BaseException):
    """Stands for a kill: nothing in the product catches it."""


@pytest.fixture(scope="module")
def unbroken(ellipse, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    made = trainer(ellipse, folder, **DETAIL)
    made.fit()
    return made


def killed_at(step, monkeypatch):
    plain = Learner._take_step

    def cut(learner):
        if learner.step == step:
            raise Killed
        return plain(learner)

    monkeypatch.setattr(Learner, "_take_step", cut)
    return plain


@pytest.mark.parametrize("step", [7, 13, 28], ids=["head", "mouth", "joint"])
def test_a_kill_in_a_phase_changes_nothing(ellipse, unbroken, tmp_path, monkeypatch, step):
    folder = tmp_path / "run"
    plain = killed_at(step, monkeypatch)
    with pytest.raises(Killed):
        trainer(ellipse, folder, **DETAIL).fit()
    monkeypatch.setattr(Learner, "_take_step", plain)
    resumed = trainer(ellipse, folder, **DETAIL)
    resumed.fit()
    wanted = losses(unbroken.run.root)
    assert [at for at, _ in losses(folder)] == [at for at, _ in wanted] == list(range(1, 31))
    assert [v for _, v in losses(folder)] == pytest.approx([v for _, v in wanted], rel=1e-5)
    assert resumed.best == pytest.approx(unbroken.best)
    found, kept = (load_avatar(run).talker for run in (folder, unbroken.run.root))
    assert torch.equal(found.head.table, kept.head.table)
    assert found.camera == kept.camera
    assert resumed.talker.camera.focal != ellipse.manifest.camera.focal


@pytest.mark.parametrize("phase", ["fit_audio", "fit_torso"])
def test_a_kill_before_the_head_changes_nothing(ellipse, unbroken, tmp_path, monkeypatch, phase):
    def cut(*given):
        raise Killed

    plain = getattr(trainer_module, phase)
    monkeypatch.setattr(trainer_module, phase, cut)
    with pytest.raises(Killed):
        trainer(ellipse, tmp_path / "run", **DETAIL).fit()
    monkeypatch.setattr(trainer_module, phase, plain)
    killed_at(5, monkeypatch)
    with pytest.raises(Killed):
        trainer(ellipse, tmp_path / "run", **DETAIL).fit()
    assert losses(tmp_path / "run") == losses(unbroken.run.root)[:5]


def test_the_upper_face_rests_while_the_mouth_learns(ellipse, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **DETAIL)
    made.step = 12
    kept = [made.talker.head.expression_gate[0].weight, made.talker.appearance.weight]
    free = made.talker.head.colour_net[0].weight
    before = [value.detach().clone() for value in (*kept, free)]
    row = made._take_step()
    assert {"perceptual", "gradient", "ssim"} <= row.keys()
    after = [value.detach() for value in (*kept, free)]
    same = [torch.equal(one, two) for one, two in zip(before, after, strict=True)]
    assert same == [True, True, False]
    assert not made.talker.occupancy.score.any()


def test_a_patch_step_renders_no_more_rays_than_a_plain_one(ellipse, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **QUICK | {"warmup_rays": 2048, "steps": 30})
    made.config = TrainConfig.model_validate(
        made.config.model_dump() | {"detail": {"mouth_steps": 30, "size": 32}}
    )
    batch = made._draw()
    assert batch.patches == (1, 32) and len(batch) == 2048
    pixels = batch.pixels[-1024:].reshape(32, 32, 2)
    assert bool((pixels.diff(dim=0) == torch.tensor([1, 0])).all())
    assert bool((pixels.diff(dim=1) == torch.tensor([0, 1])).all())


def test_phases_follow_each_other_and_fit_into_the_run():
    config = TrainConfig(steps=10, detail=DetailConfig(mouth_steps=3, joint_steps=2))
    named = [config.phase(step) for step in range(10)]
    assert named == ["head"] * 5 + ["mouth"] * 3 + ["joint"] * 2
    assert [config.detail_step(step) for step in (4, 5, 9)] == [-1, 0, 4]
    with pytest.raises(ValueError, match=r"steps 4 are fewer than the 5 of detail"):
        TrainConfig(steps=4, detail=DetailConfig(mouth_steps=3, joint_steps=2))


def test_the_best_weights_are_kept_beside_the_last(unbroken):
    best = load_checkpoint(unbroken.run.checkpoints / BEST)
    assert latest_checkpoint(unbroken.run.checkpoints).name == "step-0000030.pt"
    table = load_avatar(unbroken.run.root).talker.head.table
    assert torch.equal(table, best["talker"]["head.table"].half())


def test_the_best_weights_are_not_written_where_the_last_are_kept(ellipse, tmp_path):
    short = QUICK | {"steps": 4, "validation_interval": 2, "keep": "last"}
    made = trainer(ellipse, tmp_path / "run", **short)
    made.fit()
    assert made.best > 0 and not (made.run.checkpoints / BEST).exists()


def test_the_poses_stay_centred(unbroken):
    twists = unbroken.refinement.deltas.twists.detach()
    assert float(twists.abs().max()) > 0
    assert float(twists.mean(0).abs().max()) < 1e-6
