import numpy as np
import pytest

from nerf_talker.evaluate.boxes import THINNEST, mean_boxes, region_boxes
from nerf_talker.evaluate.metrics.activity import Activity, activity_map, activity_ratio
from nerf_talker.evaluate.metrics.cpbd import cpbd
from nerf_talker.evaluate.metrics.frechet import fid, kid
from nerf_talker.evaluate.metrics.ms_ssim import POWERS, SMALLEST, ms_ssim
from nerf_talker.evaluate.metrics.psnr import mean_psnr
from nerf_talker.evaluate.metrics.sharpness import box_mean, gradient_energy, sharpness_ratio
from nerf_talker.evaluate.metrics.ssim import C1
from nerf_talker.types import PixelBox
from tests.evaluate.test_picture_metrics import picture
from tests.evaluate.toy_face import landmarks_of


def grey(values):
    return np.repeat(np.clip(np.round(values), 0, 255).astype(np.uint8)[..., None], 3, 2)


def sine(period, size=128, amplitude=80.0):
    across = np.tile(np.arange(size), (size, 1))
    return 128 + amplitude * np.sin(2 * np.pi * across / period)


def test_ms_ssim_of_equal_pictures_is_one_and_small_ones_have_none():
    a = picture(1, SMALLEST)
    assert ms_ssim(a, a) == pytest.approx(1, abs=1e-12)
    assert np.isnan(ms_ssim(a[1:], a[1:]))


def test_ms_ssim_of_flat_pictures_is_the_coarsest_luminance_term():
    a, b = (np.full((170, 170, 3), level, np.uint8) for level in (100, 140))
    luminance = (2 * 100 * 140 + C1) / (100**2 + 140**2 + C1)
    assert ms_ssim(a, b) == pytest.approx(luminance ** POWERS[-1], abs=1e-9)


def test_frames_without_a_region_do_not_enter_the_mean():
    assert mean_psnr([20.0, np.nan, np.inf]) == 60.0
    assert mean_psnr([np.nan]) is None


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_sharpness_of_a_blurred_sine_falls_by_the_closed_form(sigma):
    import cv2

    period = 16
    sharp = grey(sine(period))
    soft = cv2.GaussianBlur(sharp, (0, 0), sigma)
    inside = PixelBox(16, 16, 96, 96)
    energies = [np.array([box_mean(gradient_energy(p), inside)]) for p in (soft, sharp)]
    wanted = np.exp(-((sigma * 2 * np.pi / period) ** 2) / 2)
    assert sharpness_ratio(*energies) == pytest.approx(wanted, rel=0.02)
    assert sharpness_ratio(energies[1], energies[1]) == 1
    assert sharpness_ratio(energies[0], np.array([0.0])) is None


def test_sharpness_rises_with_noise_by_the_closed_form():
    base = grey(sine(32))
    noisy = grey(sine(32) + np.random.default_rng(0).normal(0, 8, (128, 128)))
    box = PixelBox(0, 0, 128, 128)
    ratio = [np.array([box_mean(gradient_energy(p), box)]) for p in (noisy, base)]
    # Sobel's kernels, divided by 8, have squares that sum to 12 / 64 each.
    wanted = np.sqrt(1 + 2 * 12 / 64 * 8**2 / ratio[1][0])
    assert sharpness_ratio(*ratio) == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize(
    "width, contrast, wanted", [(1, 200, 1), (3, 200, 1), (4, 200, 0), (5, 45, 1), (6, 48, 0)]
)
def test_cpbd_turns_at_the_just_noticeable_blur(width, contrast, wanted):
    # One ramp of a known width per period of 32 pixels, then a sharp way back is avoided by a
    # triangle: up and down are ramps of the same width.
    place = np.arange(128) % 64
    up = np.clip((place - 10) / width, 0, 1)
    down = np.clip((place - 40) / width, 0, 1)
    row = 20 + contrast * (up - down)
    assert cpbd(grey(np.tile(row, (128, 1)))) == wanted


def test_cpbd_of_a_flat_picture_is_undefined():
    assert np.isnan(cpbd(np.full((128, 128, 3), 90, np.uint8)))


def test_fid_of_gaussians_is_the_closed_form():
    # Exact sample moments: whitened noise, then scaled and moved.
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(400, 5))
    noise -= noise.mean(0)
    root = np.linalg.cholesky(np.linalg.inv(np.cov(noise.T)))
    white = noise @ root
    scale, shift = np.array([1.0, 2, 0.5, 3, 1]), np.array([0.0, 1, 2, 0, -1])
    wanted = (shift**2).sum() + ((scale - 1) ** 2).sum()
    assert fid(white * scale + shift, white) == pytest.approx(wanted, rel=1e-9)
    assert fid(white, white) == pytest.approx(0, abs=1e-9)
    assert fid(white[:4], white[:4]) == pytest.approx(0, abs=1e-9)


def test_kid_of_two_points_each_is_the_definition():
    a, b = np.array([[1.0, 0], [0, 1]]), np.array([[1.0, 1], [0, 0]])

    def k(x, y):
        return (x @ y / 2 + 1) ** 3

    cross = np.mean([k(x, y) for x in a for y in b])
    assert kid(a, b) == pytest.approx(k(a[0], a[1]) + k(b[0], b[1]) - 2 * cross)
    rng = np.random.default_rng(0)
    same, moved = rng.normal(size=(60, 4)), rng.normal(size=(60, 4)) + 1
    assert abs(kid(same, rng.normal(size=(60, 4)))) < 0.3 < kid(moved, same)


def test_activity_of_a_still_picture_is_zero_and_of_half_the_swing_a_half():
    whole, half, still = Activity(), Activity(), Activity()
    for k in range(10):
        swing = 20 * (-1) ** k
        whole.add(grey(np.full((8, 8), 100 + swing)))
        half.add(grey(np.full((8, 8), 100 + swing / 2)))
        still.add(grey(np.full((8, 8), 100)))
    box = PixelBox(2, 2, 4, 4)
    truth = whole.variance()
    assert truth == pytest.approx(np.full((8, 8), 400.0))
    assert activity_ratio(half.variance(), truth, box) == pytest.approx(0.5)
    assert activity_ratio(still.variance(), truth, box) == 0
    assert activity_ratio(truth, still.variance(), box) is None
    assert activity_map(truth, truth) == pytest.approx(np.ones((8, 8)))
    assert Activity().variance() is None


def test_activity_of_parts_is_that_of_the_whole():
    rng = np.random.default_rng(0)
    frames = [grey(rng.uniform(0, 255, (6, 6))) for _ in range(9)]
    whole, first, second = Activity(), Activity(), Activity()
    for k, frame in enumerate(frames):
        whole.add(frame)
        (first if k < 4 else second).add(frame)
    first.merge(second.count, second.total, second.square)
    assert np.array_equal(first.variance(), whole.variance())


def test_bands_lie_above_and_below_the_face_and_leave_with_it():
    points = landmarks_of(np.array([0.1]), 200)[0]
    points[10, :2], points[152, :2] = (100, 30), (100, 172)
    boxes = region_boxes(points, 256, 200)
    hair, neck, face = boxes["hair"], boxes["neck"], boxes["face"]
    assert hair.top + hair.height == 30 and hair.width > face.width
    assert neck.top == 172 and neck.width < face.width
    assert set(region_boxes(None, 256, 200)) == {"frame"}
    points[152, 1] = 256 - THINNEST + 1
    assert "neck" not in region_boxes(points, 256, 200)
    other = dict(boxes, hair=PixelBox(hair.top + 2, hair.left, hair.height, hair.width))
    assert mean_boxes([boxes, other, {"frame": boxes["frame"]}])["hair"].top == hair.top + 1
