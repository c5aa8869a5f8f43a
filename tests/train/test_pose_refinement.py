"""Poses learn from pixels: a planted error shrinks, and nothing drifts."""

import torch

from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.train.pose_deltas import UNIT, PoseDeltas, moved
from nerf_talker.types import Camera
from tests.train.runs import QUICK, trainer


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


def test_planted_errors_of_poses_shrink(ellipse, tmp_path):
    settings = QUICK | {"steps": 60, "checkpoint_interval": 100}
    settings["poses"] = {"refine": True, "start": 10**6, "learning_rate": 4e-3, "rays": 1024}
    made = trainer(ellipse, tmp_path / "run", **settings)
    made.fit()
    refinement = made.refinement
    train = ellipse.manifest.range("train")
    shifts = torch.zeros(len(train), 6)
    shifts[:, 3] = 0.05 * torch.sign(torch.arange(len(train)) % 2 - 0.5)
    shifts -= shifts.mean(0)
    frames = torch.arange(train.start, train.stop)
    driving = made.objective.driving
    driving.camera_to_head[frames] = moved(driving.camera_to_head[frames], shifts)
    table = made.talker.head.table.detach().clone()
    refinement.config = refinement.config.model_copy(update={"start": 0, "interval": 1})
    for _ in range(60):
        made._refine_poses(1.0)
    left = (shifts + refinement.deltas.twists.detach())[:, 3]
    assert float(left.abs().mean()) < 0.6 * float(shifts[:, 3].abs().mean())
    assert torch.equal(made.talker.head.table, table)


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
