import json

import numpy as np
import pytest

from nerf_talker.cli import main
from tests.evaluate.sample_pair import write_video


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["-o", "r"], "give one of"),
        (["run", "--dataset", "d"], "-o REPORT_DIR"),
        (["run", "-o", "r"], "an avatar needs --dataset"),
        (["--dataset", "d", "-o", "r"], "an avatar needs --dataset"),
        (["--truth", "a.mp4", "-o", "r"], "--truth needs --pred"),
        (["--pred", "a.mp4", "-o", "r", "--workers", "2"], "--workers is for two videos"),
        (["--pred", "a.mp4", "-o", "r", "--fid-network", "n"], "--fid-network is for"),
        (["run", "--pred", "a.mp4", "--truth", "b.mp4", "-o", "r"], "give one of"),
        (["--compare", "a", "-o", "r"], "two or more"),
        (["--pred", "a", "--truth", "b", "-o", "r", "--save-video"], "--save-video is for an"),
        (["run", "--dataset", "d", "-o", "r", "--audio", "a.wav"], "--audio is for videos"),
        (["--compare", "a", "b", "-o", "r", "--models", "m"], "--models is for"),
        (["--pred", "a", "--truth", "b", "-o", "r", "--workers", "-1"], "from 0 on"),
    ],
)
def test_uses_that_do_not_go_together_are_refused(capsys, arguments, why):
    assert main(["evaluate", *arguments]) == 2
    shown = capsys.readouterr().err
    assert why in shown and shown.count("\n") == 1


def test_schema_is_printed(capsys):
    assert main(["evaluate", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["metrics"]


def test_two_videos_end_to_end(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))
    frames = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
    truth = str(write_video(tmp_path / "truth.mkv", frames))
    pred = str(write_video(tmp_path / "pred.mkv", frames[:20] // 2 * 2))
    for name, video in (("one", pred), ("two", truth)):
        arguments = ["--pred", video, "--truth", truth, "-o", str(tmp_path / name)]
        assert main(["evaluate", *arguments, "--workers", "1", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "20 of the truth's 30 frames" in shown and "not measured: lmd" in shown
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert main(["evaluate", "--compare", *folders, "-o", str(tmp_path / "both")]) == 0
    assert "compare.html" in capsys.readouterr().out
    assert main(["evaluate", "--compare", *folders[:1], "nowhere", "-o", str(tmp_path / "x")]) == 1
    assert "no report.json here" in capsys.readouterr().err
