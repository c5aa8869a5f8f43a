import numpy as np
import pytest
import torch

from nerf_talker.data.sample_speech import RATE
from nerf_talker.errors import WeightsError
from nerf_talker.evaluate import EvaluateOptions, PairOptions, evaluate_frames, evaluate_videos
from nerf_talker.evaluate import lse as lse_module
from nerf_talker.evaluate.film import Film
from nerf_talker.evaluate.lse import FacePlace, cepstra_windows, lse_curve, open_lse, open_syncnet
from nerf_talker.evaluate.pair_sync import open_judges
from nerf_talker.evaluate.sound import Sound
from tests.evaluate.sample_pair import FPS, sample, write_landmarks, write_video
from tests.evaluate.toy_face import FakeReader, portraits

SHORT = 24


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))


class Quick:
    """Stands in for the network: means of what it is given."""

    def embed_faces(self, faces):
        assert faces.shape == (1, 3, 5, 224, 224) and faces.dtype == torch.float32
        return faces.mean((2, 3, 4))

    def embed_sound(self, cepstra):
        return cepstra[:, 0, :3, :].mean(2)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(lse_module, "load_syncnet", lambda path: Quick())
    return tmp_path / "random.model"


def published(faces, voices):
    """Offset, confidence and distance as the published evaluation counts them, window by window."""
    reach, dims = 15, voices.shape[1]
    padded = np.concatenate([np.zeros((reach, dims)), voices, np.zeros((reach, dims))])
    rows = []
    for k, face in enumerate(faces):
        rows.append([np.linalg.norm(face - padded[k + j] + 1e-6) for j in range(2 * reach + 1)])
    mean = np.mean(rows, 0)
    return reach - int(mean.argmin()), np.median(mean) - mean.min(), mean.min()


@pytest.mark.parametrize("late", [0, 4, -7])
def test_curve_is_the_published_one_and_finds_planted_lags(late):
    rng = np.random.default_rng(late + 9)
    voices = rng.normal(size=(60, 8))
    faces = np.roll(voices, late, 0) + 0.1 * rng.normal(size=voices.shape)
    curve = lse_curve(torch.from_numpy(faces), torch.from_numpy(voices))
    offset, confidence, distance = published(faces, voices)
    assert curve.offset == offset == late
    assert curve.confidence == pytest.approx(confidence, rel=1e-5)
    assert curve.distance == pytest.approx(distance, rel=1e-5)


def test_sound_windows_are_mfcc_on_the_16_bit_scale_four_rows_a_frame():
    from python_speech_features import mfcc

    samples = np.random.default_rng(0).integers(-9000, 9000, 16000).astype(np.int16)
    windows = cepstra_windows(Sound(samples, 16000), 99)
    assert windows.shape == (20, 1, 13, 20), "25 frames less the 5 of a window"
    rows = mfcc(samples, 16000)
    assert np.allclose(windows[7, 0], rows[28:48].T, atol=1e-3)
    assert len(cepstra_windows(Sound(samples, 16000), 3)) == 3
    assert len(cepstra_windows(Sound(samples[:100], 16000), 3)) == 0


def test_crop_is_a_square_around_the_face_in_bgr():
    points = np.zeros((3, 478, 2), np.float32)
    points[:, 0], points[:, 1:] = (40, 40), (60, 60)
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[40:60, 40:60] = (200, 10, 10)
    cut = FacePlace.of(points).crop(picture, 1)
    assert cut.shape == (224, 224, 3)
    red = np.argwhere(cut[..., 2] > 100)
    assert cut[..., 0].max() < 60, "BGR"
    # The face box of 20 pixels in a crop of 28 that begins at its top: 8 a pixel.
    assert np.abs(red.min(0) - (0, 32)).max() <= 2 and np.abs(red.max(0) - (160, 192)).max() <= 2
    edge = FacePlace.of(points - 50).crop(picture, 0)
    assert (edge[0, 0] == 110).all(), "grey outside the picture"


def test_a_jumping_box_is_steadied():
    points = np.full((30, 478, 2), 50, np.float32)
    points[:, 0] = 30
    points[14] += 25
    assert np.ptp(FacePlace.of(points).centre) == 0


def test_two_videos_with_a_checkpoint(quick, tmp_path):
    frames, points, sound = (
        part[: SHORT * k] for part, k in zip(sample(), (1, 1, RATE // FPS), strict=True)
    )
    write_video(tmp_path / "truth.mkv", frames, sound=sound)
    marks = write_landmarks(tmp_path / "marks.npz", points)
    options = PairOptions(pred_landmarks=marks, truth_landmarks=marks, syncnet=quick, workers=1)
    videos = tmp_path / "truth.mkv", tmp_path / "truth.mkv"
    report = evaluate_videos(*videos, tmp_path / "out", options)
    assert report.metrics.lse_c == report.truth.lse_c is not None, report.not_measured["lse_c"]
    assert report.metrics.lse_d == report.truth.lse_d > 0
    assert any("SyncNet checkpoint" in note for note in report.notes)
    assert "LSE-C" in (tmp_path / "out" / "report.html").read_text()


def test_what_it_cannot_judge_has_its_reason(quick):
    assert open_syncnet(quick, 20.0) == (
        None,
        "SyncNet knows 25 frames per second only, these frames come at 20",
    )
    film = Film()
    film.points = [np.full((478, 3), np.nan, np.float32)] * 3
    _, blind = open_judges(None, quick, 25.0).witnesses(film, None)
    assert "no face landmarks" in blind.judge(None).missing


def test_an_avatar_s_own_row_and_the_truth_are_judged(toy, quick, tmp_path, monkeypatch):
    monkeypatch.setattr("nerf_talker.evaluate.evaluation.open_reader", lambda *_: FakeReader(toy))
    frames = toy.manifest.range("train")[:40]
    monkeypatch.setattr(type(toy.manifest), "range", lambda self, split: frames)
    options = EvaluateOptions(split="train", syncnet=quick)
    report = evaluate_frames(toy, portraits(toy, frames), tmp_path, options, {})
    assert report.metrics.lse_c == pytest.approx(report.truth.lse_c)
    assert report.baselines.mean_frame.lse_c is None
    assert "own row" in report.not_measured["baselines.mean_frame.lse_c"]


def test_a_wrong_file_is_refused_and_none_is_a_reason(toy, tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        open_lse(tmp_path / "gone", toy)
    assert "--syncnet" in open_lse(None, toy).judge(None).missing
