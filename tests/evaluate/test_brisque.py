import io
import pickle

import numpy as np
import pytest

from nerf_talker.errors import WeightsError
from nerf_talker.evaluate.metrics import brisque as brisque_module
from nerf_talker.evaluate.metrics.brisque import WEIGHTS, Brisque
from nerf_talker.evaluate.networks import open_brisque
from nerf_talker.weights import locate
from nerf_talker.weights.brisque_conversion import convert

SVM = b"""svm_type epsilon_svr
kernel_type rbf
gamma 0.05
nr_class 2
total_sv 2
rho -40
SV
3 1:0.5 36:-1
-2 2:0.25
"""
RANGES = {"min_": [0.0] * 36, "max_": [2.0] * 36}


@pytest.fixture
def small(tmp_path):
    path = tmp_path / WEIGHTS
    convert(io.BytesIO(SVM), io.BytesIO(pickle.dumps(RANGES)), path)
    return path


def picture(seed=0):
    import cv2

    noise = np.random.default_rng(seed).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


def test_the_regression_is_read_as_it_stands(small):
    with np.load(small) as arrays:
        assert arrays["vectors"].shape == (2, 36)
        assert (
            arrays["vectors"][0, [0, 35]].tolist() == [0.5, -1] and arrays["vectors"][1, 1] == 0.25
        )
        assert arrays["weights"].tolist() == [3, -2] and float(arrays["rho"]) == -40


def test_the_score_is_the_closed_form_on_opencv_s_features(small):
    import cv2

    shown = picture()
    features = cv2.quality.QualityBRISQUE.computeFeatures(shown[..., ::-1].copy()).ravel()
    vectors = np.zeros((2, 36))
    vectors[0, 0], vectors[0, 35], vectors[1, 1] = 0.5, -1, 0.25
    apart = ((vectors - (features - 1)) ** 2).sum(1)
    wanted = 3 * np.exp(-0.05 * apart[0]) - 2 * np.exp(-0.05 * apart[1]) + 40
    assert Brisque(small)(shown) == pytest.approx(wanted, rel=1e-6)


def test_what_has_no_statistics_has_no_score(small):
    score = Brisque(small)
    assert np.isnan(score(np.full((64, 64, 3), 7, np.uint8)))
    assert np.isnan(score(picture()[: brisque_module.SMALLEST - 1]))


@pytest.mark.parametrize(
    "svm, ranges",
    [
        (SVM.replace(b"rbf", b"linear"), RANGES),
        (b"nothing", RANGES),
        (SVM, {"min_": [0.0]}),
        (SVM.replace(b"36:", b"99:"), RANGES),
    ],
)
def test_anything_else_is_refused(tmp_path, svm, ranges):
    with pytest.raises(WeightsError, match="not BRISQUE's regression"):
        convert(io.BytesIO(svm), io.BytesIO(pickle.dumps(ranges)), tmp_path / "x.npz")


def test_without_its_file_the_reason_names_the_cure(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path))
    found = open_brisque(None)
    assert found.brisque is None and "models fetch" in found.missing["brisque"]


def test_the_true_regression_agrees_with_libsvm_and_ranks_damage(shared_clip):
    import cv2

    path = locate(WEIGHTS)
    if path is None:
        pytest.skip(f"{WEIGHTS} is not on this machine")
    score = Brisque(path)
    shown = cv2.imread(str(shared_clip("lpips/ex_ref.png")))[..., ::-1]
    assert score(shown) == pytest.approx(26.140274130630786, abs=1e-6)
    assert score(cv2.GaussianBlur(shown, (0, 0), 2)) > score(shown) + 20
