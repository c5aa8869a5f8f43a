"""Aligning poses to pictures: a textured head rendered by its own projection."""

from importlib import resources

import cv2
import numpy as np
import pytest

from nerf_talker.geometry import mesh
from nerf_talker.geometry.agreement import forehead_change
from nerf_talker.geometry.bundle import Poses, project
from nerf_talker.geometry.facepoints import (
    BROW_CLEARANCE,
    FOREHEAD_CLEARANCE,
    forehead_points,
    surface_points,
)
from nerf_talker.geometry.headshape import OUTER_EYE_DISTANCE
from nerf_talker.geometry.photometric import detail, refine_on_pictures
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
    for rim in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
        hull = cv2.convexHull(1000 * shape[list(rim), :2].astype(np.float32))
        # The grid is coarser than the corners of the eye; 0.6 mm of them may be touched.
        inside = [cv2.pointPolygonTest(hull, p, True) for p in 1000 * points[:, :2]]
        assert max(inside) < 0.6
    assert points[:, 1].min() > shape[list(mesh.EYE_CORNERS), 1].mean() - BROW_CLEARANCE - 1e-9


def test_brows_lie_between_the_clearances():
    brows = [70, 63, 105, 66, 107, 300, 293, 334, 296, 336]
    with resources.files("nerf_talker.data").joinpath("sample_face.npz").open("rb") as stream:
        face = np.load(stream)["vertices"] * [0.01, -0.01, -0.01]
    eyes = face[list(mesh.EYE_CORNERS)]
    face *= OUTER_EYE_DISTANCE / np.linalg.norm(eyes[0] - eyes[1])
    top = face[list(mesh.EYE_CORNERS), 1].mean() - BROW_CLEARANCE
    assert face[brows, 1].max() < top
    points = forehead_points(face)
    bottom = face[list(mesh.EYE_CORNERS), 1].mean() - FOREHEAD_CLEARANCE
    assert len(points) > 100 and points[:, 1].max() < bottom
    assert bottom < face[brows, 1].min() + 0.004


def test_detail_forgets_slow_shading():
    ramp = np.tile(np.linspace(20, 220, 256), (256, 1)).astype(np.uint8)
    fine, by_x, by_y = detail(ramp, 256)
    assert np.abs(fine[64:-64, 64:-64]).max() < 2
    assert by_x.shape == by_y.shape == (256, 256)


def test_the_forehead_is_steadier_with_truer_poses(texture):
    shape, truth = plane_head(), head_motion(FRAMES)
    wander = np.zeros((FRAMES, 6))
    tracks = [truth]
    for size in (0.0006, 0.0012):
        wander[:, 3] = size * np.sin(np.arange(FRAMES) / 2.0)
        tracks.append(truth.moved(wander))
    seen = np.ones(FRAMES, bool)
    true, near, far = forehead_change(CAMERA, tracks, shape, seen, lambda: pictures(truth, texture))
    assert true < 0.8 * near < 0.8 * far
    assert forehead_change(CAMERA, tracks, shape * [1, 0.2, 1], seen, lambda: iter(())) == [0, 0, 0]
