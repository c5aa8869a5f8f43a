import json
from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.cli import main
from nerf_talker.errors import WeightsError
from nerf_talker.evaluate import PairOptions, evaluate_videos
from nerf_talker.evaluate.sync_report import EXPERT
from nerf_talker.evaluate.sync_store import save_expert
from nerf_talker.losses.sync_expert import SyncExpert
from tests.evaluate.sample_pair import QUICK, sample, sample_expert, write_landmarks, write_video

LATE = 3


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """The sample clip, itself late, and an expert learned on it."""
    folder = tmp_path_factory.mktemp("sync")
    frames, points, sound = sample()
    save_expert(sample_expert(), folder / "expert")
    write_video(folder / "truth.mkv", frames, sound=sound)
    write_video(folder / "late.mkv", np.roll(frames, LATE, 0))
    blinded = points.copy()
    blinded[[0, 1, 40]] = np.nan
    return folder, PairOptions(
        pred_landmarks=write_landmarks(folder / "pred.npz", np.roll(points, LATE, 0)),
        truth_landmarks=write_landmarks(folder / "true.npz", blinded),
        sync_expert=folder / "expert",
    )


@pytest.fixture(autouse=True)
def no_models(monkeypatch, tmp_path):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))


def measured(scene, out, **changed):
    folder, options = scene
    changed = replace(options, **changed)
    return evaluate_videos(folder / "late.mkv", folder / "truth.mkv", out, changed)


def test_an_expert_tells_a_late_video(scene, tmp_path):
    report = measured(scene, tmp_path)
    assert (report.metrics.sync_offset_frames, report.truth.sync_offset_frames) == (LATE, 0)
    assert report.sync.expert == EXPERT and set(report.sync.distances) == {"own", "truth"}
    assert not [figure for figure in report.not_measured if figure.startswith("sync")]
    assert any(EXPERT in note for note in report.notes)


def test_without_an_expert_the_report_says_where_one_comes_from(scene, tmp_path):
    report = measured(scene, tmp_path, sync_expert=None)
    assert report.sync is None and report.metrics.sync_distance is None
    assert "--sync-expert" in report.not_measured["sync_distance"]
    assert not any(EXPERT in note for note in report.notes)


def test_what_an_expert_cannot_judge_has_its_reason(scene, tmp_path):
    folder, options = scene
    late = folder / "late.mkv"
    report = evaluate_videos(late, late, tmp_path, options)
    assert report.sync is None and report.not_measured["sync_distance"] == "there is no sound"
    nobody = write_landmarks(tmp_path / "nobody.npz", np.full_like(sample()[1], np.nan))
    report = measured(scene, tmp_path, truth_landmarks=nobody)
    assert "no face landmarks" in report.not_measured["sync_distance"]


def test_an_expert_for_other_features_is_refused_before_any_work(scene, tmp_path):
    save_expert(SyncExpert(QUICK, 768, 9), tmp_path / "other")
    for name, why in (("other", "listens to 9 speech features"), ("gone", "no lip-sync expert")):
        with pytest.raises(WeightsError, match=why):
            measured(scene, tmp_path / "out", sync_expert=tmp_path / name)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("given", [True, False])
def test_the_command_names_the_expert_only_when_it_judged(scene, tmp_path, capsys, given):
    folder, options = scene
    wanted = ["--pred", folder / "late.mkv", "--truth", folder / "truth.mkv", "-o", tmp_path]
    wanted += ["--pred-landmarks", options.pred_landmarks, "--workers", "1", "--quiet"]
    wanted += ["--truth-landmarks", options.truth_landmarks]
    wanted += ["--sync-expert", options.sync_expert] if given else []
    assert main(["evaluate", *map(str, wanted)]) == 0
    shown = capsys.readouterr().out
    assert (f"sync judged by the {EXPERT}" in shown) == given == ("expert lag" in shown)
    content = json.loads((tmp_path / "report.json").read_text())
    assert (content["sync"] is not None) == given
