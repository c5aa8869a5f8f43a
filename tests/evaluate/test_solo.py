import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.errors import InputError, WeightsError
from nerf_talker.evaluate import Report, SoloOptions, compare_reports, evaluate_video
from nerf_talker.evaluate.gaps import flat
from nerf_talker.evaluate.sync_store import load_expert, save_expert
from tests.evaluate.sample_pair import sample, sample_expert, write_landmarks, write_video

LATE = 3


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """The sample clip and the same with its picture late, and the landmarks of both."""
    folder = tmp_path_factory.mktemp("solo")
    frames, points, sound = sample()
    options = []
    for name, late in (("whole", 0), ("late", LATE)):
        write_video(folder / f"{name}.mkv", np.roll(frames, late, 0), sound=sound)
        marks = write_landmarks(folder / f"{name}.npz", np.roll(points, late, 0))
        options.append((folder / f"{name}.mkv", SoloOptions(pred_landmarks=marks)))
    return options


@pytest.fixture(scope="module")
def dataset_folder(tmp_path_factory):
    """A folder whose cache holds an expert learned on the sample clip."""
    root = tmp_path_factory.mktemp("dataset")
    (root / "cache").mkdir()
    save_expert(sample_expert(), root / "cache" / "sync-expert-0123.safetensors")
    return root


@pytest.fixture(scope="module")
def measured(scene, dataset_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    reports = []
    for name, (video, options) in zip(("whole", "late"), scene, strict=True):
        options = replace(options, sync_expert=dataset_folder)
        reports.append(evaluate_video(video, folder / name, options))
    return reports, folder


def test_a_late_mouth_is_late_by_every_instrument(measured):
    whole, late = (report.metrics for report in measured[0])
    for figure in ("speech_offset_frames", "loudness_offset_frames", "sync_offset_frames"):
        assert getattr(late, figure) - getattr(whole, figure) == LATE, figure
    assert whole.sync_offset_frames == 0
    assert abs(whole.speech_offset_frames) <= 2 and whole.speech_confidence > 0.2


def test_what_does_not_depend_on_the_sound_is_told_alike(measured):
    whole, late = (report.metrics for report in measured[0])
    gaps = sample_gaps()
    assert whole.lipgap_std == pytest.approx(gaps.std(), rel=1e-5)
    assert whole.lipgap_range == pytest.approx(np.ptp(np.quantile(gaps, (0.05, 0.95))), rel=1e-5)
    assert late.lipgap_range == whole.lipgap_range
    assert whole.frames_without_face == 0 and whole.motion.blinks_per_minute is not None
    assert whole.motion.closed_in_silence > 0.5


def sample_gaps():
    from nerf_talker.geometry.mesh import lip_gap

    return lip_gap(sample()[1]).astype(np.float64)


def test_report_reads_back_and_explains_every_null(measured):
    (report, _), folder = measured
    content = json.loads((folder / "whole" / "report.json").read_text())
    assert Report.model_validate(content) == report
    assert (content["kind"], content["split"], content["alignment"]) == ("video", None, None)
    for path, value in flat(report.metrics).items():
        assert (path in report.not_measured) == (value is None), path
    assert "no truth" in report.not_measured["psnr"]
    assert "--syncnet" in report.not_measured["lse_c"]
    page = (folder / "whole" / "report.html").read_text()
    assert page.count("<figcaption>frame") == 8 and "articulation39" in page
    assert "regions.neck.psnr" not in page and "anything that compares" in page
    with (folder / "whole" / "frames.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == report.frames
    assert np.allclose([float(row["lip_gap"]) for row in rows], sample_gaps(), atol=1e-4)
    assert {p.name for p in (folder / "whole").iterdir()} == {
        "report.json", "report.html", "frames.csv",
    }  # fmt: skip


def test_several_such_reports_are_compared(measured, tmp_path):
    _, folder = measured
    entries = compare_reports([folder / "whole", folder / "late"], tmp_path)
    assert [entry.name for entry in entries] == ["whole", "late"]
    page = (tmp_path / "compare.html").read_text()
    assert "closed in silence" in page and "lip gap" in page


def test_without_sound_and_without_faces_the_reasons_say_so(scene, dataset_folder, tmp_path):
    frames, points, _ = sample()
    write_video(tmp_path / "mute.mkv", frames[:40])
    nobody = write_landmarks(tmp_path / "nobody.npz", np.full_like(points, np.nan))
    options = SoloOptions(pred_landmarks=nobody, sync_expert=dataset_folder)
    report = evaluate_video(tmp_path / "mute.mkv", tmp_path / "out", options)
    assert report.not_measured["speech_confidence"] == "there is no sound"
    assert report.not_measured["sync_confidence"] == "there is no sound"
    assert report.not_measured["lipgap_range"] == "no face was found in any frame"
    assert report.metrics.frames_without_face == 40
    assert report.metrics.regions.frame.cpbd is not None
    assert "in the truth" not in " ".join(report.not_measured.values())
    video, options = scene[0]
    report = evaluate_video(
        video, tmp_path / "blind", SoloOptions(audio=video, sync_expert=dataset_folder)
    )
    assert report.reader.name == "none" and "no face landmarks" in report.not_measured["jitter"]


def test_wrong_files_are_refused_before_any_work(scene, tmp_path):
    video, options = scene[0]
    for wrong, kind in (
        ({"sync_expert": tmp_path}, WeightsError),
        ({"syncnet": tmp_path / "gone"}, WeightsError),
        ({"models": tmp_path / "gone"}, InputError),
        ({"audio": tmp_path / "gone.wav"}, InputError),
    ):
        with pytest.raises(kind):
            evaluate_video(video, tmp_path / "out", replace(options, **wrong))
    assert not (tmp_path / "out").exists()


def test_an_expert_is_found_in_a_dataset_s_cache(dataset_folder, tmp_path):
    whole = load_expert(dataset_folder).state_dict()
    alone = load_expert(dataset_folder / "cache" / "sync-expert-0123.safetensors").state_dict()
    assert all(torch.equal(whole[name], alone[name]) for name in whole)
    with pytest.raises(WeightsError, match="no lip-sync expert here"):
        load_expert(tmp_path)


def test_the_command_judges_one_video(scene, tmp_path, capsys):
    video, options = scene[0]
    wanted = ["--pred", video, "-o", tmp_path / "out", "--pred-landmarks", options.pred_landmarks]
    assert main(["evaluate", *map(str, wanted), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "without a truth" in shown and "closed in silence" in shown and "psnr" not in shown
    assert main(["evaluate", "--pred", "gone.mp4", "-o", str(tmp_path / "x")]) == 1
    assert "no such file" in capsys.readouterr().err
