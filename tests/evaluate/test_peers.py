import numpy as np
import pytest

from nerf_talker.errors import InputError
from nerf_talker.evaluate import EvaluateOptions, Report, evaluate_frames
from tests.evaluate.sample_pair import write_video
from tests.evaluate.toy_face import portraits


@pytest.fixture(autouse=True)
def no_models(monkeypatch, tmp_path):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))


def evaluated(toy, folder, *peers):
    options = EvaluateOptions(peers=peers)
    rendered = portraits(toy, toy.manifest.range("test"), noise=0.05)
    return evaluate_frames(toy, rendered, folder, options, {})


def test_a_peers_video_is_a_row_of_the_same_table(toy, tmp_path):
    test = toy.manifest.range("test")
    frames = np.asarray(toy.frames[test.start : test.stop])
    write_video(tmp_path / "perfect.mkv", frames)
    write_video(tmp_path / "large.mkv", frames.repeat(2, 1).repeat(2, 2))
    peers = (f"perfect={tmp_path / 'perfect.mkv'}", f"twice as large={tmp_path / 'large.mkv'}")
    report = evaluated(toy, tmp_path / "out", *peers)
    assert list(report.peers) == ["perfect", "twice as large"]
    assert report.peers["perfect"].psnr == 100
    assert report.peers["perfect"].lipgap_corr == pytest.approx(1)
    assert report.peers["twice as large"].psnr > 45 > report.metrics.psnr
    content = (tmp_path / "out" / "report.json").read_text()
    assert Report.model_validate_json(content) == report
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<td>twice as large</td>" in page and "<th>perfect</th>" in page


@pytest.mark.parametrize(
    "peer, why",
    [
        ("video.mkv", "NAME=VIDEO"),
        ("own=video.mkv", "a row 'own' already"),
        ("a=nowhere.mkv", "no such file"),
        ("a=short.mkv", "holds 5 frames and the split"),
        ("a=fast.mkv", "30.000 frames per second and the dataset 25.000"),
        ("a=wide.mkv", "not square"),
    ],
)
def test_a_video_that_does_not_fit_is_one_sentence(toy, tmp_path, monkeypatch, peer, why):
    monkeypatch.chdir(tmp_path)
    count = len(toy.manifest.range("test"))
    still = np.zeros((count, 32, 32, 3), np.uint8)
    write_video(tmp_path / "short.mkv", still[:5])
    write_video(tmp_path / "fast.mkv", still, 30)
    write_video(tmp_path / "wide.mkv", still[:, :16])
    with pytest.raises(InputError, match=why):
        evaluated(toy, tmp_path / "out", peer)
    assert not (tmp_path / "out").exists()
