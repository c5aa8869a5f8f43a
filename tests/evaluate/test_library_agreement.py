"""Our figures beside those of independent libraries, where these are installed."""

import numpy as np
import pytest

from nerf_talker.evaluate.metrics.frechet import fid
from nerf_talker.evaluate.metrics.ms_ssim import INSIDE, ms_ssim
from nerf_talker.evaluate.metrics.psnr import psnr
from nerf_talker.evaluate.metrics.ssim import ssim, ssim_maps
from tests.evaluate.test_picture_metrics import picture

SIZE = 192


def pair(seed):
    """Smooth pictures that differ by blur and noise, as a prediction does."""
    import cv2

    truth = cv2.GaussianBlur(picture(seed, SIZE), (0, 0), 3)
    truth = cv2.normalize(truth, None, 0, 255, cv2.NORM_MINMAX)
    noise = np.random.default_rng(seed).normal(0, 6, truth.shape)
    soft = cv2.GaussianBlur(truth, (0, 0), 1.2)
    return np.clip(soft + noise, 0, 255).astype(np.uint8), truth


def tensors(*pictures):
    import torch

    return [torch.tensor(p).permute(2, 0, 1)[None].double() for p in pictures]


@pytest.mark.parametrize("seed", [1, 2])
def test_torchmetrics_agrees_to_four_digits(seed):
    image = pytest.importorskip("torchmetrics.functional.image", reason="torchmetrics is not here")
    a, b = pair(seed)
    x, y = tensors(a, b)
    theirs = float(image.peak_signal_noise_ratio(x, y, data_range=255.0))
    assert psnr(a, b) == pytest.approx(theirs, abs=1e-4)
    theirs = float(image.structural_similarity_index_measure(x, y, data_range=255.0))
    assert ssim(a, b) == pytest.approx(theirs, abs=1e-4)
    theirs = float(
        image.multiscale_structural_similarity_index_measure(
            x, y, data_range=255.0, normalize="relu"
        )
    )
    assert ms_ssim(a, b) == pytest.approx(theirs, abs=1e-4)


def test_scikit_image_agrees_to_four_digits():
    library = pytest.importorskip("skimage.metrics", reason="scikit-image is not here")
    a, b = pair(3)
    theirs = library.peak_signal_noise_ratio(b, a, data_range=255)
    assert psnr(a, b) == pytest.approx(theirs, abs=1e-4)
    theirs, whole = library.structural_similarity(
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
        full=True,
    )
    # Their mean leaves the border out; their map mirrors it with the edge repeated.
    luminance, structure = ssim_maps(a.astype(float), b.astype(float))
    assert (luminance * structure)[INSIDE].mean() == pytest.approx(theirs, abs=1e-4)
    assert np.abs(luminance * structure - whole)[INSIDE].max() < 1e-6


def test_fid_agrees_with_scipys_matrix_root():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    a = rng.normal(size=(90, 6)) @ rng.normal(size=(6, 6))
    b = rng.normal(size=(70, 6)) + 0.5
    root = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum()
    wanted += np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert fid(a, b) == pytest.approx(wanted, rel=1e-6)
