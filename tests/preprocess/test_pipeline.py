"""Clip -> dataset on a tiny painted clip with supplied landmarks and masks: no model files."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles, read_manifest
from nerf_talker.errors import InputError, WeightsError
from nerf_talker.preprocess import pipeline, stage
from nerf_talker.preprocess.stage import read_records
from nerf_talker.preprocess.stages import parsing

from .tiny import FRAMES, options, write_tiny


@pytest.fixture
def ran(monkeypatch):
    """Names of the stages that really run."""
    names = []
    original = pipeline._run

    def spy(stage, *rest):
        names.append(stage.name)
        return original(stage, *rest)

    monkeypatch.setattr(pipeline, "_run", spy)
    return names


def test_the_dataset_opens_and_is_whole(made):
    dataset = Dataset.open(made)
    assert dataset.manifest.frames == FRAMES
    assert dataset.frames.shape == (FRAMES, 64, 64, 3)
    assert set(np.unique(dataset.labels)) == {0, 1, 3}
    assert dataset.torso.shape == (64, 64, 4)
    assert len(dataset.audio.values) == 2 * FRAMES
    assert dataset.torso_motion.shape == (FRAMES, 6)
    assert dataset.manifest.preprocess_seconds > 0
    assert dataset.track.valid.all()
    page = DatasetFiles(made).report.read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("http-equiv", "")


def test_poses_project_the_shape_onto_the_landmarks(made):
    dataset = Dataset.open(made)
    camera = dataset.track.camera
    pose = np.linalg.inv(dataset.track.camera_to_head.astype(np.float64))
    place = dataset.mean_shape @ np.swapaxes(pose[:, :3, :3], 1, 2) + pose[:, None, :3, 3]
    pixels = camera.focal * place[..., :2] / place[..., 2:] + np.array(camera.centre)
    error = np.linalg.norm(pixels - dataset.track.landmarks[..., :2], axis=-1)
    assert np.median(error) < 1.0


def test_a_second_run_does_nothing(copied, tiny, ran):
    before = {p: p.stat().st_mtime_ns for p in copied.rglob("*") if p.is_file()}
    pipeline.preprocess(tiny.clip, copied, options(tiny))
    assert ran == []
    assert before == {p: p.stat().st_mtime_ns for p in copied.rglob("*") if p.is_file()}


def test_only_what_depends_on_a_change_runs_again(copied, tiny, ran, tmp_path):
    from nerf_talker.audio.sound import write_wav

    write_wav(tmp_path / "other.wav", 0.1 * np.ones(16000 * 3))
    pipeline.preprocess(tiny.clip, copied, options(tiny, audio=tmp_path / "other.wav"))
    assert ran == ["audio"]


def test_the_manifest_and_the_file_name_the_chosen_speech_features(copied, tiny, ran):
    manifest = pipeline.preprocess(tiny.clip, copied, options(tiny, audio_features="mfcc26"))
    assert ran == ["audio"]
    audio = Dataset.open(copied).audio
    assert manifest.extractor == audio.extractor == "mfcc26"
    assert audio.values.shape == (2 * FRAMES, 26)
    with pytest.raises(InputError, match="no speech features 'ave'"):
        pipeline.preprocess(tiny.clip, copied, options(tiny, audio_features="ave"))


@pytest.mark.parametrize("damage", ["delete", "truncate"])
def test_a_lost_or_damaged_output_is_made_again(copied, tiny, ran, damage):
    path = DatasetFiles(copied).torso
    if damage == "delete":
        path.unlink()
    else:
        os.truncate(path, 10)
    pipeline.preprocess(tiny.clip, copied, options(tiny))
    assert ran == ["torso"]
    assert Dataset.open(copied).torso.shape == (64, 64, 4)


def test_an_interrupted_run_resumes_at_its_stage(tiny, tmp_path, monkeypatch, ran):
    root = tmp_path / "anna"

    def stop(context):
        (context.scratch / "half.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    stages = list(pipeline.STAGES)
    broken = [s if s.name != "parsing" else replace(s, run=stop) for s in stages]
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "STAGES", tuple(broken))
        with pytest.raises(KeyboardInterrupt):
            pipeline.preprocess(tiny.clip, root, options(tiny))
    assert not DatasetFiles(root).manifest.exists()
    assert not list(root.rglob("*.partial")) and not list(root.rglob("half.bin"))
    finished = {"ingest", "audio", "landmarks", "tracking", "expression"}
    assert set(read_records(root)) == finished
    ran.clear()
    pipeline.preprocess(tiny.clip, root, options(tiny))
    assert ran == ["parsing", "background", "torso"]
    assert read_manifest(root).frames == FRAMES


def failing(name, monkeypatch):
    def fail(context):
        raise InputError("cannot be used")

    stages = [s if s.name != name else replace(s, run=fail) for s in pipeline.STAGES]
    monkeypatch.setattr(pipeline, "STAGES", tuple(stages))


def test_a_failed_rerun_leaves_the_dataset_whole(copied, tiny, tmp_path, monkeypatch):
    from nerf_talker.audio.sound import write_wav

    def content():
        return {p: p.read_bytes() for p in copied.rglob("*") if p.is_file()}

    before = content()
    write_wav(tmp_path / "other.wav", 0.1 * np.ones(16000 * 3))
    failing("audio", monkeypatch)
    with pytest.raises(InputError, match="audio: cannot be used"):
        pipeline.preprocess(tiny.clip, copied, options(tiny, audio=tmp_path / "other.wav"))
    assert content() == before
    monkeypatch.undo()
    Dataset.open(copied)


@pytest.mark.parametrize("name", ["audio", "landmarks", "masks"])
def test_a_mistyped_path_is_refused_even_when_nothing_is_to_do(copied, tiny, name):
    with pytest.raises(InputError, match=f"typo.npz: no such file; --{name} wants"):
        pipeline.preprocess(tiny.clip, copied, options(tiny, **{name: copied / "typo.npz"}))


def test_a_missing_model_is_said_before_the_work_starts(tiny, tmp_path, monkeypatch, ran):
    def nothing(name, directory=None, fetch=True):
        raise WeightsError(f"{name}: model file not found")

    monkeypatch.setattr(pipeline, "resolve", nothing)
    with pytest.raises(WeightsError, match="face_landmarker"):
        pipeline.preprocess(tiny.clip, tmp_path / "d", options(tiny, landmarks=None))
    with pytest.raises(WeightsError, match="selfie_segmentation"):
        pipeline.preprocess(tiny.clip, tmp_path / "d", options(tiny, masks=None))
    assert ran == [] and not (tmp_path / "d").exists()


@pytest.mark.parametrize(("made_with", "now_with", "again"), [(1, 0, False), (0, 1, True)])
def test_a_hair_model_that_comes_later_is_used(
    tiny, tmp_path, monkeypatch, ran, made_with, now_with, again
):
    masks = np.load(tiny.masks)

    def fake_masks(context):
        yield from zip(masks["labels"][:, :64, :64], masks["head_alpha"][:, :64, :64], strict=True)

    def at_hand(there):
        found = tmp_path if there else None
        monkeypatch.setattr(stage, "locate", lambda name, directory=None: found)

    monkeypatch.setattr(parsing, "_model_masks", fake_masks)
    monkeypatch.setattr(pipeline, "resolve", lambda *_: tmp_path)
    at_hand(made_with)
    manifest = pipeline.preprocess(tiny.clip, tmp_path / "d", options(tiny, masks=None))
    warned = any("hair_segmentation.tflite was not found" in text for text in manifest.warnings)
    assert warned == (not made_with)
    ran.clear()
    at_hand(now_with)
    pipeline.preprocess(tiny.clip, tmp_path / "d", options(tiny, masks=None))
    assert ran == (["parsing", "background", "torso"] if again else [])


def test_leftovers_of_a_killed_process_do_no_harm(copied, tiny, ran):
    leftover = copied / "work" / "parsing.partial"
    leftover.mkdir()
    (leftover / "labels.mkv").write_bytes(b"half")
    (copied / "work" / "stages.json").write_text('{"ingest": {"finger')
    pipeline.preprocess(tiny.clip, copied, options(tiny))
    assert ran[0] == "ingest"
    assert not leftover.exists()


def test_a_refused_clip_leaves_no_folder(tiny, tmp_path):
    silent = write_tiny(tmp_path / "silent", sound=False)
    with pytest.raises(InputError, match=r"ingest: .*no sound track.*--audio"):
        pipeline.preprocess(silent.clip, tmp_path / "out", options(silent))
    assert not (tmp_path / "out").exists()


def test_other_peoples_files_are_left_alone(tiny, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds other files"):
        pipeline.preprocess(tiny.clip, tmp_path, options(tiny))
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("chapter 1")
    with pytest.raises(InputError, match="holds other files"):
        pipeline.preprocess(tiny.clip, tmp_path, options(tiny))
    with pytest.raises(InputError, match="is a file"):
        pipeline.preprocess(tiny.clip, tmp_path / "letter.txt", options(tiny))


def test_an_empty_folder_given_by_the_user_survives_a_refusal(tiny, tmp_path):
    silent = write_tiny(tmp_path / "silent", sound=False)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="no sound track"):
        pipeline.preprocess(silent.clip, tmp_path / "out", options(silent))
    assert list((tmp_path / "out").iterdir()) == []


def test_too_many_missing_faces_are_refused_with_their_times(tiny, tmp_path):
    landmarks = np.load(tiny.landmarks)["landmarks"]
    landmarks[25:50] = np.nan
    np.savez(tmp_path / "gaps.npz", landmarks=landmarks)
    with pytest.raises(InputError, match=r"1\.00-2\.00 s"):
        pipeline.preprocess(
            tiny.clip, tmp_path / "d", options(tiny, landmarks=tmp_path / "gaps.npz")
        )


def test_short_gaps_are_interpolated_and_marked(tiny, tmp_path):
    landmarks = np.load(tiny.landmarks)["landmarks"]
    landmarks[20:23] = np.nan
    np.savez(tmp_path / "gaps.npz", landmarks=landmarks)
    manifest = pipeline.preprocess(
        tiny.clip, tmp_path / "d", options(tiny, landmarks=tmp_path / "gaps.npz")
    )
    track = np.load(DatasetFiles(tmp_path / "d").track)
    assert list(np.flatnonzero(~track["valid"])) == [20, 21, 22]
    assert np.isfinite(track["landmarks"]).all() and np.isfinite(track["camera_to_head"]).all()
    assert any("0.80-0.92 s" in text for text in manifest.warnings)


def test_the_command_prints_a_summary(tiny, tmp_path, capsys):
    from nerf_talker.cli import main

    out = tmp_path / "d"
    arguments = ["preprocess", str(tiny.clip), "-o", str(out), "--size", "64"]
    arguments += ["--landmarks", str(tiny.landmarks), "--masks", str(tiny.masks)]
    assert main(arguments) == 0
    assert f"{FRAMES} frames of 64x64" in capsys.readouterr().out
    assert json.loads((out / "manifest.json").read_text())["subject"] == "d"
    assert main([*arguments[:-1], str(tmp_path / "none.npz")]) == 1
    assert "no such file" in capsys.readouterr().err
