import json
import os
from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.errors import InputError
from nerf_talker.evaluate import PairOptions, Report, evaluate_videos, pair_chunks
from nerf_talker.evaluate import pair as pair_module
from nerf_talker.evaluate.gaps import flat
from tests.evaluate.sample_pair import FPS, SIZE, sample, write_landmarks, write_video

PERFECT = {
    "psnr": 100, "ssim": 1, "lmd": 0, "lipgap_corr": 1, "lipgap_corr_best": 1,
    "lipgap_lag_frames": 0, "lipgap_std_ratio": 1, "frames_without_face": 0, "sharpness_ratio": 1,
    "activity_ratio": 1, "lmd_eyes": 0, "f_lmd": 0, "blendshape_error_upper": 0,
    "blendshape_error_lower": 0, "lve_mm": 0, "lve_squared_mm2": 0, "fdd_mm": 0, "fdd_abs_mm": 0,
    "head_pose_error_deg": 0, "acceleration_ratio": 1, "acceleration_error": 0,
    "movement_ratio": 1, "lid_corr": 1, "mouth_face_sharpness": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder with the sample clip, its landmarks and what to compare it by."""
    folder = tmp_path_factory.mktemp("pair")
    frames, points, sound = sample()
    write_video(folder / "truth.mkv", frames, sound=sound)
    marks = write_landmarks(folder / "truth.npz", points)
    return folder, PairOptions(pred_landmarks=marks, truth_landmarks=marks, workers=1)


@pytest.fixture(scope="module", autouse=True)
def no_models(tmp_path_factory):
    """No download and no model file: perceptual networks would take half of these tests' time."""
    here = os.environ.get("NERF_TALKER_MODELS")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("NERF_TALKER_MODELS", str(tmp_path_factory.mktemp("models")))
        yield here


def shifted(points, frames, folder):
    return write_landmarks(folder / f"late{frames}.npz", np.roll(points, frames, 0))


@pytest.fixture(scope="module")
def alike(scene, no_models, tmp_path_factory):
    folder, options = scene
    out = tmp_path_factory.mktemp("alike")
    return evaluate_videos(folder / "truth.mkv", folder / "truth.mkv", out, options), out


def test_a_video_beside_itself_is_perfect_in_every_figure(alike):
    report, _ = alike
    seen = set()
    for path, value in flat(report.metrics).items():
        name = path.rsplit(".", 1)[-1]
        if name in PERFECT and value is not None:
            assert value == pytest.approx(PERFECT[name], abs=1e-6), path
            seen.add(name)
    assert seen == set(PERFECT)
    own, truth = report.metrics.motion, report.truth
    assert own.blinks_per_minute == truth.blinks_per_minute
    assert own.closed_in_silence == truth.closed_in_silence
    assert report.metrics.loudness_offset_frames == truth.loudness_offset_frames
    assert report.alignment.notes == []


def test_report_of_two_videos_reads_back_and_explains_every_null(alike):
    report, out = alike
    content = json.loads((out / "report.json").read_text())
    assert Report.model_validate(content) == report
    assert content["schema_version"] == 3 and content["kind"] == "videos"
    assert content["head_only"] is None and content["baselines"] is None
    for path, value in flat(report.metrics).items():
        wild = f"regions.*.{path.rsplit('.', 1)[-1]}"
        assert (path in report.not_measured or wild in report.not_measured) == (value is None), path
    assert {p.name for p in out.iterdir()} == {"report.json", "report.html", "frames.csv"}


def test_known_noise_lowers_psnr_by_the_closed_form(scene, tmp_path):
    options = scene[1]
    frames = np.clip(sample()[0].astype(int), 8, 247)
    noise = np.random.default_rng(0).integers(-8, 9, frames.shape)
    write_video(tmp_path / "clipped.mkv", frames.astype(np.uint8))
    write_video(tmp_path / "noisy.mkv", (frames + noise).astype(np.uint8))
    report = evaluate_videos(
        tmp_path / "noisy.mkv", tmp_path / "clipped.mkv", tmp_path / "out", options
    )
    wanted = 10 * np.log10(255**2 / np.mean(np.arange(-8, 9) ** 2))
    regions = report.metrics.regions
    for name in ("frame", "face", "mouth", "eyes", "hair", "neck"):
        assert getattr(regions, name).psnr == pytest.approx(wanted, abs=0.1), name
        assert getattr(regions, name).sharpness_ratio > 1.003
        assert getattr(regions, name).ssim < 0.99


def test_known_blur_softens_and_nothing_else(scene, tmp_path):
    import cv2

    folder, options = scene
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in sample()[0]])
    write_video(tmp_path / "soft.mkv", soft)
    report = evaluate_videos(tmp_path / "soft.mkv", folder / "truth.mkv", tmp_path / "o", options)
    for name, figures in report.metrics.regions:
        assert figures.sharpness_ratio < 0.95 and figures.activity_ratio < 1, name
    assert report.metrics.lmd == 0 and report.metrics.lipgap_lag_frames == 0


@pytest.mark.parametrize("late", [3, -2])
def test_a_planted_delay_is_found_with_its_sign(scene, tmp_path, late):
    folder, options = scene
    frames, points, _ = sample()
    write_video(tmp_path / "late.mkv", np.roll(frames, late, 0))
    options = replace(options, pred_landmarks=shifted(points, late, tmp_path))
    report = evaluate_videos(tmp_path / "late.mkv", folder / "truth.mkv", tmp_path / "o", options)
    assert report.metrics.lipgap_lag_frames == late
    assert report.metrics.loudness_offset_frames - report.truth.loudness_offset_frames == late
    assert report.metrics.lipgap_corr < 0.9 and report.metrics.lmd > 0


def test_numbers_depend_on_neither_processes_nor_stops(scene, alike, tmp_path, monkeypatch):
    folder, options = scene
    calls = []

    def counted(job, chunk):
        calls.append(chunk)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(job, chunk)

    measure = pair_chunks.measure_chunk
    monkeypatch.setattr(pair_chunks, "measure_chunk", counted)
    video, out = folder / "truth.mkv", tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        evaluate_videos(video, video, out, options)
    assert len(list(out.glob(".partial-*/chunk_*.npz"))) == 1 and not (out / "report.json").exists()
    evaluate_videos(video, video, out, options)
    assert len(calls) == 2 + len(range(0, len(sample()[0]), pair_chunks.CHUNK)) - 1
    assert not list(out.glob(".*"))
    monkeypatch.setattr(pair_chunks, "measure_chunk", measure)
    side_by_side = tmp_path / "two"
    evaluate_videos(video, video, side_by_side, replace(options, workers=2))
    whole = (alike[1] / "frames.csv").read_text()
    assert (out / "frames.csv").read_text() == whole
    assert (side_by_side / "frames.csv").read_text() == whole
    for folder_ in (out, side_by_side):
        again = Report.model_validate_json((folder_ / "report.json").read_text())
        assert again.metrics == alike[0].metrics and again.truth == alike[0].truth


def test_a_stopped_run_of_other_videos_is_not_taken_up(scene, tmp_path):
    folder, options = scene
    stale = tmp_path / ".partial-0123456789abcdef"
    stale.mkdir()
    (stale / "chunk_0000000.npz").write_bytes(b"of another video")
    evaluate_videos(folder / "truth.mkv", folder / "truth.mkv", tmp_path, options)
    assert not stale.exists() and (tmp_path / "report.json").is_file()


def test_a_damaged_chunk_is_measured_again(scene, alike, tmp_path, monkeypatch):
    folder, options = scene
    video = folder / "truth.mkv"
    monkeypatch.setattr(pair_module, "write_report", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate_videos(video, video, tmp_path, options)
    monkeypatch.undo()
    chunk = sorted(tmp_path.glob(".partial-*/chunk_*.npz"))[1]
    chunk.write_bytes(chunk.read_bytes()[:1000])
    report = evaluate_videos(video, video, tmp_path, options)
    assert report.metrics == alike[0].metrics


def test_lost_faces_are_counted_and_never_dropped(scene, tmp_path):
    folder, options = scene
    points = sample()[1].copy()
    points[[5, 6, 70]] = np.nan
    options = replace(options, pred_landmarks=write_landmarks(tmp_path / "p.npz", points))
    video = folder / "truth.mkv"
    report = evaluate_videos(video, video, tmp_path / "some", options)
    assert report.frames == len(points)
    assert report.metrics.frames_without_face == 3
    assert report.metrics.motion.frames_without_face_pred == 3
    assert report.metrics.motion.frames_without_face_truth == 0
    nobody = write_landmarks(tmp_path / "n.npz", np.full_like(points, np.nan))
    report = evaluate_videos(
        video, video, tmp_path / "none", replace(options, pred_landmarks=nobody)
    )
    assert report.metrics.frames_without_face == len(points)
    assert report.metrics.lmd is None and report.metrics.motion.lve_mm is None
    assert report.not_measured["lmd"] == "no face was found in any frame"
    assert report.metrics.psnr == 100 and report.metrics.regions.mouth.psnr == 100


def test_without_any_face_finder_pictures_are_still_measured(scene, tmp_path):
    video = scene[0] / "truth.mkv"
    report = evaluate_videos(video, video, tmp_path / "out", PairOptions(workers=1))
    assert report.reader.name == "none" and report.metrics.psnr == 100
    assert report.metrics.psnr_face is None and report.metrics.frames_without_face is None
    for figure in ("lmd", "lipgap_corr", "motion.closed_in_silence", "mouth_face_sharpness"):
        assert "face_landmarker.task" in report.not_measured[figure]
    assert "lpips_alex.npz" in report.not_measured["lpips"]
    assert "regions" in report.not_measured["regions.mouth.psnr"]
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()


def test_missing_networks_are_named_and_given_ones_used(scene, no_models, tmp_path, monkeypatch):
    import torch

    from nerf_talker.evaluate.networks import NetworkFiles

    class Means(torch.nn.Module):
        def forward(self, pictures):
            return pictures.float().mean((2, 3))

    if no_models is not None:
        monkeypatch.setenv("NERF_TALKER_MODELS", no_models)
    torch.jit.script(Means()).save(str(tmp_path / "means.pt"))
    folder, options = scene
    files = NetworkFiles(fid=tmp_path / "means.pt", identity=tmp_path / "means.pt")
    video = folder / "truth.mkv"
    report = evaluate_videos(video, video, tmp_path / "out", replace(options, networks=files))
    assert report.metrics.fid == pytest.approx(0, abs=1e-6)
    assert report.metrics.fid_frames == -(-len(sample()[0]) // 5)
    assert report.metrics.identity == pytest.approx(1)
    measured = ("lpips" in report.not_measured, report.metrics.lpips)
    assert measured in ((True, None), (False, pytest.approx(0, abs=1e-6)))
    assert report.frames / FPS > 5 and report.size == SIZE


@pytest.mark.parametrize("content", [None, b"junk"])
def test_a_network_that_is_none_is_one_sentence(scene, tmp_path, content):
    from nerf_talker.errors import WeightsError
    from nerf_talker.evaluate.networks import NetworkFiles

    if content is not None:
        (tmp_path / "net.pt").write_bytes(content)
    folder, options = scene
    options = replace(options, networks=NetworkFiles(fid=tmp_path / "net.pt"))
    with pytest.raises(WeightsError, match="no TorchScript network"):
        evaluate_videos(folder / "truth.mkv", folder / "truth.mkv", tmp_path / "o", options)


def test_a_folder_without_models_is_one_sentence(scene, tmp_path):
    from nerf_talker.evaluate.networks import NetworkFiles

    options = PairOptions(networks=NetworkFiles(models=tmp_path / "nowhere"))
    with pytest.raises(InputError, match="no such folder"):
        evaluate_videos(scene[0] / "truth.mkv", scene[0] / "truth.mkv", tmp_path / "o", options)


def _end_at_once(job, chunk):
    import os

    os._exit(3)


def test_a_process_that_is_killed_is_one_sentence(scene, tmp_path, monkeypatch):
    folder, options = scene
    monkeypatch.setattr(pair_chunks, "measure_chunk", _end_at_once)
    with pytest.raises(InputError, match="goes on where it was"):
        evaluate_videos(
            folder / "truth.mkv",
            folder / "truth.mkv",
            tmp_path / "out",
            replace(options, workers=2),
        )
