"""Aligning poses to pictures: a textured head rendered by its own projection."""

import numpy as np
import pytest

from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import Poses, project
from nerf_talker.geometry.photometric import detail, refine_on_pictures, surface_points
from nerf_talker.geometry.rotation import logarithm
from nerf_talker.types import Camera

from .heads import head_motion, head_shape

CAMERA = Camera(320.0, (80.0, 80.0), 160, 160)
FRAMES = 24


def plane_head():
    """A flat head: rendering it is an exact homography."""
    shape = head_shape()
    shape[:, 2] = -0.06
    return shape


def pictures(poses, texture):
    import cv2

    corners = np.array([[-0.12, -0.12], [0.12, -0.12], [0.12, 0.12], [-0.12, 0.12]])
    points = np.concatenate([corners, np.full((4, 1), -0.06)], 1)
    source = (corners + 0.12) / 0.24 * texture.shape[0] - 0.5
    for seen in project(CAMERA, poses.in_camera(points)):
        warp = cv2.getPerspectiveTransform(
            source.astype(np.float32), (seen - 0.5).astype(np.float32)
        )
        yield cv2.warpPerspective(texture, warp, (160, 160), flags=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def texture():
    import cv2

    noise = np.random.default_rng(0).uniform(0, 255, (480, 480)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 6)
    blurred = (blurred - blurred.mean()) / blurred.std() * 40 + 128
    return np.clip(blurred, 0, 255).astype(np.uint8)


def test_pictures_repair_wandering_poses(texture):
    shape, truth = plane_head(), head_motion(FRAMES)
    wander = np.zeros((FRAMES, 6))
    wander[:, 3] = 0.0012 * np.sin(np.arange(FRAMES) / 2.0)
    start = truth.moved(wander)
    rigid = list(mesh.RIGID)
    landmarks = project(CAMERA, start.in_camera(shape[rigid]))
    weights = np.full((FRAMES, len(rigid)), 0.01)
    found = refine_on_pictures(
        CAMERA, start, shape, landmarks, weights, lambda: pictures(truth, texture)
    )

    def error(poses):
        centre = np.array([[0.0, 0.0, -0.06]])
        apart = project(CAMERA, poses.in_camera(centre)) - project(CAMERA, truth.in_camera(centre))
        return float(np.std(apart[:, 0, 0]))

    assert error(found) < 0.35 * error(start)


def test_frames_without_weight_stay_between_their_neighbours(texture):
    shape, truth = plane_head(), head_motion(FRAMES)
    rigid = list(mesh.RIGID)
    landmarks = project(CAMERA, truth.in_camera(shape[rigid]))
    weights = np.ones((FRAMES, len(rigid)))
    weights[10] = 0
    blank = lambda: (  # noqa: E731
        p if k != 10 else np.zeros_like(p) for k, p in enumerate(pictures(truth, texture))
    )
    found = refine_on_pictures(CAMERA, truth, shape, landmarks, weights, blank)
    turn = logarithm(found.rotation @ np.swapaxes(truth.rotation, 1, 2))
    assert np.degrees(np.abs(turn[10])).max() < 0.5
    assert isinstance(found, Poses)


def test_points_avoid_lids_mouth_and_brows():
    shape = head_shape()
    points = surface_points(shape)
    assert len(points) > 50
    assert points[:, 1].max() <= shape[mesh.NOSE_BASE, 1]


def test_detail_forgets_slow_shading():
    ramp = np.tile(np.linspace(20, 220, 256), (256, 1)).astype(np.uint8)
    fine, by_x, by_y = detail(ramp, 256)
    assert np.abs(fine[64:-64, 64:-64]).max() < 2
    assert by_x.shape == by_y.shape == (256, 256)
