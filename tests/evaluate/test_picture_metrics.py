import numpy as np
import pytest

from nerf_talker.evaluate.metrics.lpips import Lpips, large_enough
from nerf_talker.evaluate.metrics.psnr import CEILING, mean_psnr, psnr
from nerf_talker.evaluate.metrics.ssim import C1, C2, ssim
from nerf_talker.weights import locate
from tests.conftest import SHARED

EXAMPLES = SHARED / "data" / "lpips"


def picture(seed=0, size=48):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def test_psnr_of_equal_pictures_is_infinite_and_counts_as_the_ceiling():
    assert psnr(picture(), picture()) == np.inf
    assert mean_psnr([np.inf, 20.0]) == (CEILING + 20.0) / 2


@pytest.mark.parametrize("step", [1, 5, 16, 255])
def test_psnr_of_a_constant_difference_is_closed_form(step):
    low = np.zeros((9, 7, 3), np.uint8)
    high = low + np.uint8(step)
    assert psnr(high, low) == pytest.approx(20 * np.log10(255 / step))
    assert psnr(high, low) == psnr(low, high)


def test_psnr_is_the_mean_of_per_frame_decibels_not_of_pooled_error():
    assert mean_psnr([20.0, 40.0]) == 30.0


def test_ssim_of_equal_pictures_is_one():
    assert ssim(picture(), picture()) == pytest.approx(1.0, abs=1e-12)


def test_ssim_of_two_flat_pictures_is_the_luminance_term():
    a, b = np.full((20, 20, 3), 100, np.uint8), np.full((20, 20, 3), 140, np.uint8)
    wanted = (2 * 100 * 140 + C1) / (100**2 + 140**2 + C1)
    assert ssim(a, b) == pytest.approx(wanted, abs=1e-9)


def test_ssim_matches_the_definition_window_by_window():
    a, b = picture(1, 13), picture(2, 13)
    mirrored = [np.pad(p, ((5, 5), (5, 5), (0, 0)), "reflect").astype(float) for p in (a, b)]
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for top in range(13):
        for left in range(13):
            for channel in range(3):
                x, y = (p[top : top + 11, left : left + 11, channel] for p in mirrored)
                ux, uy = (window * x).sum(), (window * y).sum()
                sx, sy = (window * (x - ux) ** 2).sum(), (window * (y - uy) ** 2).sum()
                sxy = (window * (x - ux) * (y - uy)).sum()
                luminance = (2 * ux * uy + C1) / (ux**2 + uy**2 + C1)
                values.append(luminance * (2 * sxy + C2) / (sx + sy + C2))
    assert ssim(a, b) == pytest.approx(np.mean(values), abs=1e-9)


def test_ssim_falls_with_noise():
    base = picture(1)
    rng = np.random.default_rng(3)
    noisy = [
        ssim(np.clip(base + rng.normal(0, s, base.shape), 0, 255).astype(np.uint8), base)
        for s in (2, 10, 40)
    ]
    assert 1 > noisy[0] > noisy[1] > noisy[2] > 0


@pytest.fixture(scope="module")
def lpips():
    path = locate("lpips_alex.npz")
    if path is None:
        pytest.skip("lpips_alex.npz is not on this machine")
    return Lpips(path)


def test_lpips_of_equal_pictures_is_zero_and_it_is_symmetric(lpips):
    a, b = (lpips.features(picture(seed, 64)) for seed in (1, 2))
    assert lpips.distance(a, a) == 0.0
    assert lpips.distance(a, b) == pytest.approx(lpips.distance(b, a))


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the LPIPS example images are not here")
@pytest.mark.parametrize("name, wanted", [("ex_p0", 0.7219), ("ex_p1", 0.1376)])
def test_lpips_of_the_authors_example_images(lpips, name, wanted):
    import imageio.v3 as imageio

    reference, other = (imageio.imread(EXAMPLES / f"{n}.png") for n in ("ex_ref", name))
    distance = lpips.distance(lpips.features(reference), lpips.features(other))
    assert distance == pytest.approx(wanted, abs=1e-4)


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the LPIPS example images are not here")
@pytest.mark.parametrize("name, wanted", [("ex_p0", 0.5686), ("ex_p1", 0.4217)])
def test_lpips_with_vgg_of_the_authors_example_images(name, wanted):
    import imageio.v3 as imageio

    path = locate("lpips_vgg.npz")
    if path is None:
        pytest.skip("lpips_vgg.npz is not on this machine")
    network = Lpips(path)
    reference, other = (imageio.imread(EXAMPLES / f"{n}.png") for n in ("ex_ref", name))
    distance = network.distance(network.features(reference), network.features(other))
    assert distance == pytest.approx(wanted, abs=1e-4)


def test_lpips_knows_its_network_by_its_weights(tmp_path):
    rng = np.random.default_rng(0)
    depth, shapes = 3, []
    for block, layers in zip((2, 3, 4, 5, 5), (2, 2, 3, 3, 3), strict=True):
        for _ in range(layers):
            shapes.append((block, depth, 3, 3))
            depth = block
    arrays = {f"conv{i}.weight": rng.normal(size=shape) for i, shape in enumerate(shapes)}
    arrays |= {f"conv{i}.bias": np.zeros(shape[0]) for i, shape in enumerate(shapes)}
    arrays |= {f"lin{i}": np.ones(count) for i, count in enumerate((2, 3, 4, 5, 5))}
    np.savez(tmp_path / "vgg.npz", **{k: v.astype(np.float32) for k, v in arrays.items()})
    taps = Lpips(tmp_path / "vgg.npz").features(picture(1, 64))
    assert [tuple(tap.shape) for tap in taps] == [
        (1, 2, 64, 64), (1, 3, 32, 32), (1, 4, 16, 16), (1, 5, 8, 8), (1, 5, 4, 4),
    ]  # fmt: skip
    for tap in taps:
        assert float(tap.square().sum(1).max()) == pytest.approx(1, abs=1e-4)


def test_lpips_needs_31_pixels(lpips):
    smallest = picture(1, 31)
    assert large_enough(smallest) and not large_enough(smallest[1:])
    assert lpips.distance(lpips.features(smallest), lpips.features(picture(2, 31))) > 0
    with pytest.raises(RuntimeError):
        lpips.features(picture(1, 30))
