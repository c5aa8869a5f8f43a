"""Poses and focal length learn from pixels: planted errors shrink, and nothing drifts."""

from dataclasses import replace
from math import log

import pytest
import torch

from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.train.avatar import describe, load_avatar, reference_poses, save_avatar
from nerf_talker.train.checkpoint import latest_checkpoint
from nerf_talker.train.config import PoseConfig
from nerf_talker.train.pose_deltas import LARGEST_ZOOM, UNIT, PoseDeltas, moved
from nerf_talker.train.snapshot import load_best, restore, save, save_best
from nerf_talker.types import Camera
from tests.train.runs import QUICK, losses, trainer


def test_a_small_twist_turns_and_shifts_the_head():
    poses = torch.eye(4)[None].repeat(2, 1, 1)
    poses[:, 2, 3] = -0.8
    twists = torch.zeros(2, 6)
    twists[0, 3] = 0.1
    twists[1, 1] = 0.01
    found = moved(poses, twists)
    assert torch.allclose(found[0, :3, 3], torch.tensor([0.1 * UNIT, 0, -0.8]))
    rotation = found[1, :3, :3]
    assert torch.allclose(rotation @ rotation.T, torch.eye(3), atol=1e-6)
    assert abs(float(found[1, 0, 3]) + 0.8 * torch.sin(torch.tensor(0.01))) < 1e-6
    assert torch.equal(moved(poses, torch.zeros(2, 6)), poses)


def test_the_mean_over_valid_frames_stays_zero_and_invalid_ones_rest():
    valid = torch.tensor([True, False, True, True])
    deltas = PoseDeltas(10, valid)
    with torch.no_grad():
        deltas.twists.copy_(torch.randn(4, 6))
    kept = deltas.twists[1].clone()
    deltas.centre()
    assert torch.allclose(deltas.twists[valid].mean(0), torch.zeros(6), atol=1e-6)
    assert torch.equal(deltas.twists[1], kept)


SETTINGS = QUICK | {"steps": 60, "checkpoint_interval": 60}
SETTINGS["poses"] = {"refine": True, "focal": True, "start": 10**6, "learning_rate": 4e-3}


@pytest.fixture(scope="module")
def trained(ellipse, tmp_path_factory):
    """The folder of a run whose poses and focal length have not learned yet."""
    folder = tmp_path_factory.mktemp("poses") / "run"
    trainer(ellipse, folder, **SETTINGS).fit()
    return folder


@pytest.fixture
def made(ellipse, trained):
    """That run, about to learn its poses at every step."""
    found = trainer(ellipse, trained, **SETTINGS)
    restore(found, latest_checkpoint(found.run.checkpoints))
    config = found.refinement.config
    found.refinement.config = config.model_copy(update={"start": 0, "interval": 1})
    return found


def plant_focal(made, factor):
    """Let the run believe that the tracker gave ``factor`` times the true focal length."""
    true = made.talker.camera
    made.refinement.tracked = replace(true, focal=factor * true.focal)
    made.talker.camera = made.refinement.tracked
    return true.focal


def test_planted_errors_of_poses_shrink(ellipse, made):
    refinement = made.refinement
    train = ellipse.manifest.range("train")
    shifts = torch.zeros(len(train), 6)
    shifts[:, 3] = 0.05 * torch.sign(torch.arange(len(train)) % 2 - 0.5)
    shifts -= shifts.mean(0)
    frames = torch.arange(train.start, train.stop)
    driving = made.objective.driving
    driving.camera_to_head[frames] = moved(driving.camera_to_head[frames], shifts)
    table = made.talker.head.table.detach().clone()
    for _ in range(60):
        made._refine_poses(1.0)
    left = (shifts + refinement.deltas.twists.detach())[:, 3]
    assert float(left.abs().mean()) < 0.6 * float(shifts[:, 3].abs().mean())
    assert torch.equal(made.talker.head.table, table)


@pytest.mark.parametrize("factor", [0.96, 1.04])
def test_a_planted_focal_length_is_pulled_to_the_true_one(made, factor):
    true = plant_focal(made, factor)
    for _ in range(40):
        made._refine_poses(1.0)
    left = log(made.talker.camera.focal / true)
    assert abs(left) < 0.6 * abs(log(factor))


def test_a_focal_length_that_has_not_learned_changes_no_bit(ellipse, trained, tmp_path):
    poses = SETTINGS["poses"] | {"focal": False}
    plain = trainer(ellipse, tmp_path / "run", **SETTINGS | {"poses": poses})
    plain.fit()
    assert losses(plain.run.root) == losses(trained)
    given, kept = (load_avatar(run) for run in (plain.run.root, trained))
    assert given.metadata.camera == kept.metadata.camera == ellipse.manifest.camera
    assert torch.equal(given.talker.head.table, kept.talker.head.table)


def test_the_focal_length_never_leaves_its_bound(made):
    """However steadily the pixels ask for it, and whatever the rate."""
    refinement = made.refinement
    focal, twists = refinement.deltas.focal, refinement.deltas.twists
    for rate in (4e-3, 4e-2, 0.4):
        for _ in range(200):
            focal.grad, twists.grad = torch.tensor(-1e-6), torch.zeros_like(twists)
            refinement._step(rate)
        assert 0.9 * LARGEST_ZOOM < focal.item() <= LARGEST_ZOOM * (1 + 1e-5)


def test_the_learned_focal_length_is_kept_with_the_weights(ellipse, made, tmp_path):
    true = made.talker.camera.focal
    (tmp_path / "config.yaml").write_text("test\n")
    made.run = replace(made.run, root=tmp_path)
    with torch.no_grad():
        made.refinement.deltas.focal.fill_(0.02)
    made.talker.camera = made.refinement.camera()
    save_best(made)
    with torch.no_grad():
        made.refinement.deltas.focal.fill_(0.03)
    made.talker.camera = made.refinement.camera()
    save(made)
    other = trainer(ellipse, tmp_path, **SETTINGS)
    restore(other, latest_checkpoint(other.run.checkpoints))
    assert other.talker.camera == made.talker.camera
    assert log(other.talker.camera.focal / true) == pytest.approx(0.03)
    load_best(other)
    assert log(other.talker.camera.focal / true) == pytest.approx(0.02)
    info = describe(other.talker, ellipse, 0.0, 60, {})
    save_avatar(tmp_path / "a.safetensors", other.talker, reference_poses(ellipse), info)
    assert load_avatar(tmp_path / "a.safetensors").talker.camera == other.talker.camera


def test_a_focal_length_does_not_learn_alone():
    with pytest.raises(ValueError, match="set refine too"):
        PoseConfig(focal=True)


def test_a_refined_pose_moves_where_the_rays_begin():
    camera = Camera(40.0, (6.0, 5.0), 10, 12)
    deltas = PoseDeltas(0, torch.ones(1, dtype=torch.bool))
    pose = torch.eye(4)[None]
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    pixels, frame = torch.tensor([[4, 5]]), torch.zeros(1, dtype=torch.int64)
    refined = deltas.refined(pose, frame)
    rays = pixel_rays(camera, refined, pixels, frame, box)
    (gradient,) = torch.autograd.grad(rays.origins[0, 0], [deltas.twists])
    assert abs(float(gradient[0, 3]) - UNIT) < 1e-6
