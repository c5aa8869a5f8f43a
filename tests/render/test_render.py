import numpy as np
import pytest
import torch

from nerf_talker.field.head import HeadCondition
from nerf_talker.geometry.cameras import image_pixels, pixel_rays
from nerf_talker.render.occupancy import OccupancyConfig, OccupancyGrid
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.renderer import render_rays
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.driving import dataset_driving
from nerf_talker.types import Camera

BOX = torch.tensor([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])


@pytest.fixture
def avatar(ellipse_run):
    return load_avatar(ellipse_run)


def test_the_ray_of_a_projected_point_passes_through_it():
    camera = Camera(500.0, (128.0, 96.0), 192, 256)
    angle = 0.3
    pose = torch.eye(4)[None]
    pose[0, :3, :3] = torch.tensor(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    pose[0, :3, 3] = torch.tensor([0.2, 0.0, -0.8])
    point = torch.tensor([0.03, -0.02, 0.01])
    seen = pose[0, :3, :3].T @ (point - pose[0, :3, 3])
    where = seen[:2] / seen[2] * 500 + torch.tensor(camera.centre)
    pixel = where.floor().long().flip(0)[None]
    rays = pixel_rays(camera, pose, pixel, torch.zeros(1, dtype=torch.int64), BOX)
    along = point - rays.origins[0]
    miss = (along - (along @ rays.directions[0]) * rays.directions[0]).norm()
    assert float(miss) < 0.8 * float(seen[2]) / 500  # within the pixel
    assert float(rays.near) < float(along.norm()) < float(rays.far)


def test_scaled_camera_sees_the_same_view():
    camera = Camera(500.0, (128.0, 128.0), 256, 256)
    small = camera.scaled(64)
    assert (small.focal, small.centre, small.height) == (125.0, (32.0, 32.0), 64)


def test_image_pixels_are_row_major():
    assert image_pixels(2, 3).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_occupancy_keeps_what_was_seen_and_its_neighbours():
    grid = OccupancyGrid(OccupancyConfig(resolution=8), BOX)
    grid.observe(torch.tensor([[0.01, 0.01, 0.01], [-0.09, 0.0, 0.0]]), torch.tensor([0.5, 1e-4]))
    grid.prune()
    assert int(grid.cells.sum()) == 27
    low, high = grid.bounds()
    assert low.tolist() == pytest.approx([-0.025] * 3) and high.tolist() == pytest.approx(
        [0.05] * 3
    )
    for _ in range(40):
        grid.prune()
    assert int(grid.cells.sum()) == 0
    assert torch.equal(grid.bounds(), BOX)


def test_background_shows_only_through_the_head_s_transparency(avatar, ellipse):
    driving = dataset_driving(ellipse, [3], "landmarks")
    before = next(PortraitRenderer(avatar.talker).frames(driving))
    avatar.talker.background.fill_(0.9)
    after = next(PortraitRenderer(avatar.talker).frames(driving))
    change = np.abs(before.rgb - after.rgb).max(-1)
    assert (change <= 1 - before.head_opacity + 1e-4).all()
    assert before.head_opacity.max() > 0.9
    assert change[before.head_opacity < 0.5].max() > 0.1


def test_portrait_is_head_over_the_rest(avatar, ellipse):
    picture = next(PortraitRenderer(avatar.talker).frames(dataset_driving(ellipse, [3], "audio")))
    assert picture.rgb.shape == (64, 64, 3) and picture.head_opacity.shape == (64, 64)
    assert picture.rgb.min() >= 0 and picture.rgb.max() <= 1
    behind = picture.rgb - picture.head_rgb
    assert (behind >= -1e-3).all()


def test_rays_that_miss_are_empty(avatar):
    talker = avatar.talker
    pose = torch.eye(4)[None]
    pose[0, 2, 3] = 5.0  # behind the head, looking away
    rays = pixel_rays(
        talker.camera, pose, image_pixels(4, 4), torch.zeros(16, dtype=torch.int64), BOX
    )
    condition = HeadCondition(torch.zeros(1, 16), torch.zeros(1, 9), torch.zeros(1, 4))
    out = render_rays(talker, rays, condition, torch.zeros(16))
    assert out.samples == 0 and not out.opacity.detach().any()
