import base64
import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from nerf_talker.errors import AvatarError, DatasetError, InputError
from nerf_talker.evaluate import EvaluateOptions, Report, evaluate, evaluate_frames
from nerf_talker.evaluate.table import columns, text_table
from nerf_talker.types import PortraitFrame
from tests.evaluate.toy_face import FPS, FakeReader, portraits

METADATA = {"avatar": "toy.safetensors", "train_seconds": "12.5"}
DEFAULT = EvaluateOptions()
KEYS = {
    "psnr", "psnr_face", "psnr_mouth", "ssim", "lpips", "lpips_face", "lmd", "lipgap_corr",
    "lipgap_lag_frames", "lipgap_std_ratio", "sync_offset_frames", "sync_confidence", "jitter",
    "frames_without_face",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])


@pytest.fixture
def no_models(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))


def run(toy, folder, options=DEFAULT, **how):
    rendered = portraits(toy, toy.manifest.range(options.split), **how)
    return evaluate_frames(toy, rendered, folder, options, METADATA)


@pytest.fixture(scope="module")
def late(toy, tmp_path_factory):
    """A noisy talker two frames late, measured without any model file, videos included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("NERF_TALKER_MODELS", str(tmp_path_factory.mktemp("models")))
        folder = tmp_path_factory.mktemp("report")
        options = EvaluateOptions(split="train", save_video=True)
        return run(toy, folder, options, late=2, noise=0.02), folder


def test_json_has_the_promised_keys_and_reads_back(toy, late):
    report, folder = late
    content = json.loads((folder / "report.json").read_text())
    assert set(content["metrics"]) >= KEYS
    assert set(content["head_only"]) == set(content["metrics"]) and content["own_torso"] is None
    assert set(content["baselines"]) == {"mean_frame", "nearest_frame"}
    for row in content["baselines"].values():
        assert set(row) == set(content["metrics"])
    assert set(content["speed"]) == {
        "render_fps", "end_to_end_fps", "train_seconds", "preprocess_seconds", "frame",
    }  # fmt: skip
    assert content["frames"] == len(toy.manifest.range("train"))
    assert (content["split"], content["size"], content["drive"]) == ("train", 64, "audio")
    assert Report.model_validate(content) == report
    assert content["speed"]["train_seconds"] == 12.5
    assert content["speed"]["preprocess_seconds"] == 3.0
    assert content["environment"]["torch"]


def test_every_null_has_a_reason_and_no_number_has_one(late):
    report, _ = late
    places = {
        "metrics": report.metrics,
        "head_only": report.head_only,
        "baselines.mean_frame": report.baselines.mean_frame,
        "baselines.nearest_frame": report.baselines.nearest_frame,
    }
    explained = set(report.not_measured)
    for place, row in places.items():
        for figure, value in row.model_dump().items():
            known = {figure, f"{place}.{figure}"} & explained
            assert bool(known) == (value is None), (place, figure)
    assert "lmd" in explained and "lpips" in explained and "frames_without_face" in explained
    assert "face_landmarker.task" in report.not_measured["lmd"]
    for name in ("own_torso", "crosstalk"):
        assert getattr(report, name) is None and report.not_measured[name]


def test_fallback_reader_finds_the_planted_lag(late):
    report, _ = late
    assert report.reader.name == "crop regression"
    assert report.reader.track_corr > 0.95
    for row in (report.metrics, report.head_only):
        assert row.lipgap_lag_frames == 2
        assert row.lipgap_corr_best > 0.9 > row.lipgap_corr
        assert row.lipgap_std_ratio == pytest.approx(1, abs=0.1)
        assert row.sync_offset_frames == 2 and row.speech_offset_frames == 2
    assert report.truth.sync_offset_frames == 0 and report.truth.speech_offset_frames == 0
    assert report.truth.speech_confidence > 0.5
    assert report.metrics.loudness_offset_frames == 2 and report.truth.loudness_offset_frames == 0
    assert report.baselines.mean_frame.lipgap_corr is None
    assert report.baselines.mean_frame.lipgap_std_ratio == pytest.approx(0, abs=1e-6)


def test_psnr_of_planted_noise(late):
    report, _ = late
    # The wall is not late, so the frame's error is the planted noise and the mouth's is more.
    assert 20 < report.metrics.psnr < -20 * np.log10(0.02) + 0.2
    assert report.metrics.psnr_mouth < report.metrics.psnr
    assert report.head_only.psnr > report.metrics.psnr


def test_html_is_self_contained_and_well_formed(late):
    _, folder = late
    text = (folder / "report.html").read_text()
    assert "$" not in re.sub(r"base64,[^']*", "", text)
    assert not re.search(r"(?:src|href)=['\"](?!data:)", text)
    frames, moments, mouths, activity = 6, 4, 24, 1
    pictures = 4 * (frames + moments) + 3 * (frames + 1) + 2 * mouths + activity
    assert text.count("<img") == pictures and text.count("<svg") == 3
    picture = re.search(r"image/jpeg;base64,([^']*)", text).group(1)
    assert base64.b64decode(picture)[:2] == b"\xff\xd8"
    assert text.count("<video") == 1 and text.count("<canvas") == 3
    assert "nan" not in re.sub(r"base64,[^']*", "", text).lower()
    stack = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "link", "img", "input", "line", "path"}:
                stack.append(tag)

        def handle_startendtag(self, tag, attrs):
            assert tag in {"line", "path"}

        def handle_endtag(self, tag):
            assert stack.pop() == tag

    Checker().feed(text)
    assert stack == []


def test_per_frame_table_matches_the_report(toy, late):
    report, folder = late
    with (folder / "frames.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["frame"]) for row in rows] == list(toy.manifest.range("train"))
    mean = np.mean([float(row["psnr_mouth"]) for row in rows])
    assert mean == pytest.approx(report.metrics.psnr_mouth, abs=1e-3)


def test_videos_are_lossless_aligned_and_complete(toy, late):
    import av

    _, folder = late
    names = {"truth.mkv", "pred.mkv", "pred_head_only.mkv", "speech.wav"}
    assert {p.name for p in folder.iterdir()} == names | {
        "report.json", "report.html", "frames.csv",
    }  # fmt: skip
    train = toy.manifest.range("train")
    with av.open(str(folder / "truth.mkv")) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        assert float(stream.average_rate) == FPS
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert np.array_equal(np.stack(shown), toy.frames[train.start : train.stop])
    import wave

    with wave.open(str(folder / "speech.wav")) as sound:
        assert sound.getnframes() == round(len(train) / FPS * sound.getframerate())


def test_text_table_is_aligned(late):
    lines = text_table(late[0]).splitlines()
    assert len(lines) == 6 and all(column.title in lines[0] for column in columns([late[0]]))
    assert lines[1].startswith("own") and "–" in lines[1]


def test_perfect_talker_is_perfect(toy, no_models, tmp_path):
    report = run(toy, tmp_path / "new" / "folder")
    assert report.metrics.psnr == 100 and report.metrics.ssim == pytest.approx(1)
    assert report.metrics.lipgap_corr == pytest.approx(1)
    assert report.metrics.lipgap_lag_frames == 0
    assert report.frames == len(toy.manifest.range("test")) and report.split == "test"
    assert not list(tmp_path.glob("**/.*"))


def test_lost_faces_are_counted_and_their_frames_left_out(toy, no_models, monkeypatch, tmp_path):
    test = toy.manifest.range("test")
    reader = FakeReader(toy, blind={test.start + 1, test.start + 2})
    monkeypatch.setattr("nerf_talker.evaluate.evaluation.open_reader", lambda *given: reader)
    report = run(toy, tmp_path)
    assert report.metrics.frames_without_face == 2
    assert report.metrics.lmd == 0 and report.metrics.jitter == 0
    blind = FakeReader(toy, blind=set(test))
    monkeypatch.setattr("nerf_talker.evaluate.evaluation.open_reader", lambda *given: blind)
    report = run(toy, tmp_path)
    assert report.metrics.frames_without_face == len(test)
    assert report.metrics.lmd is None and report.metrics.lipgap_corr is None
    assert report.not_measured["lmd"] == "no face was found in any frame"


def test_lpips_is_measured_when_its_weights_are_here(toy, tmp_path, monkeypatch):
    from nerf_talker.weights import locate

    if locate("lpips_alex.npz") is None:
        pytest.skip("lpips_alex.npz is not on this machine")
    reader = FakeReader(toy)
    monkeypatch.setattr("nerf_talker.evaluate.evaluation.open_reader", lambda *given: reader)
    report = run(toy, tmp_path, noise=0.1)
    assert 0 < report.metrics.lpips < 1 and 0 < report.metrics.lpips_face < 1
    assert "lpips" not in report.not_measured


def test_dataset_without_sound_says_so(toy, no_models, tmp_path):
    silent = replace(toy, root=tmp_path / "silent")
    report = run(silent, tmp_path / "report", EvaluateOptions(save_video=True))
    assert report.metrics.sync_offset_frames is None
    assert report.not_measured["sync_offset_frames"] == "the dataset holds no sound"
    assert report.not_measured["loudness_offset_frames"] == "the dataset holds no sound"
    assert not (tmp_path / "report" / "speech.wav").exists()


def broken(kind, dataset):
    for number, portrait in enumerate(portraits(dataset, dataset.manifest.range("test"))):
        if number == 3 and kind == "short":
            return
        if number == 3 and kind == "nan":
            portrait.head_rgb[0, 0] = np.nan
        if kind == "size":
            portrait = PortraitFrame(
                *(np.asarray(part)[:32, :32] for part in vars(portrait).values())
            )
        yield portrait


@pytest.mark.parametrize(
    "kind, why", [("short", "stopped before"), ("nan", "non-finite"), ("size", "renders 32x32")]
)
def test_bad_rendering_is_one_sentence_and_leaves_nothing(toy, no_models, tmp_path, kind, why):
    options = EvaluateOptions(save_video=True)
    with pytest.raises(AvatarError, match=why):
        evaluate_frames(toy, broken(kind, toy), tmp_path / "report", options, METADATA)
    assert list((tmp_path / "report").iterdir()) == []


def test_missing_input_is_one_sentence(tmp_path):
    options = EvaluateOptions()
    with pytest.raises(AvatarError, match="no avatar here"):
        evaluate(tmp_path / "nowhere", tmp_path, tmp_path / "report", options)
    with pytest.raises(AvatarError, match=r"avatar\.safetensors"):
        evaluate(tmp_path, tmp_path, tmp_path / "report", options)
    (tmp_path / "avatar.safetensors").write_bytes(b"")
    with pytest.raises(DatasetError, match="no dataset here"):
        evaluate(tmp_path, tmp_path, tmp_path / "report", options)
    assert not (tmp_path / "report").exists()


def test_what_a_killed_evaluation_left_is_removed_and_nothing_else(toy, no_models, tmp_path):
    for name in (".pred.4711.mkv", ".report.12.html"):
        (tmp_path / name).write_bytes(b"half")
    kept = {".pred.mkv", ".pred.old.mkv", "pred.4711.mkv", ".other.4711.mkv"}
    for name in kept:
        (tmp_path / name).write_bytes(b"the user's")
    run(toy, tmp_path)
    reports = {"report.json", "report.html", "frames.csv"}
    assert {path.name for path in tmp_path.iterdir()} == kept | reports


def test_models_folder_comes_first_and_must_exist(toy, no_models, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        run(toy, tmp_path / "report", EvaluateOptions(models=tmp_path / "nowhere"))
    (tmp_path / "mine").mkdir()
    report = run(toy, tmp_path / "report", EvaluateOptions(models=tmp_path / "mine"))
    assert str(tmp_path / "mine") in report.not_measured["lmd"]
    assert str(tmp_path / "mine") in report.not_measured["lpips"]


def test_report_folder_that_is_a_file_is_one_sentence(toy, no_models, tmp_path):
    (tmp_path / "report").write_text("in the way")
    with pytest.raises(InputError, match="choose another report folder"):
        run(toy, tmp_path / "report")
