import json

from nerf_talker.evaluate import EvaluateOptions, evaluate_frames
from tests.evaluate.toy_face import portraits


def test_report_names_the_expert_and_holds_the_whole_curve(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))
    rendered = portraits(toy, toy.manifest.range("train"), late=3)
    options = EvaluateOptions(split="train")
    report = evaluate_frames(toy, rendered, tmp_path / "report", options, {})
    assert report.sync.expert == "nerf-talker expert"
    assert set(report.sync.distances) == {*report.rows(), "truth"}
    curve = report.sync.distances["own"]
    assert report.sync.lags[curve.index(min(curve))] == report.metrics.sync_offset_frames == 3
    assert min(curve) == report.metrics.sync_distance
    assert report.truth.sync_offset_frames == 0
    assert report.truth.sync_confidence > 2 * report.baselines.mean_frame.sync_confidence
    page = (tmp_path / "report" / "report.html").read_text()
    assert "nerf-talker expert" in page
    assert json.loads((tmp_path / "report" / "report.json").read_text())["sync"]["lags"][0] == -15
