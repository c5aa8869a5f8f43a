"""Clip -> dataset on a tiny painted clip with supplied landmarks and masks: no model files."""

import json
import os
import shutil

import numpy as np
import pytest

from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles, read_manifest
from nerf_talker.errors import InputError
from nerf_talker.preprocess import pipeline
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.stage import read_records

from .tiny import FRAMES, write_tiny


def options(tiny, **changes):
    chosen = {"size": 64, "landmarks": tiny.landmarks, "masks": tiny.masks, "quiet": True}
    return PreprocessOptions(**{**chosen, **changes})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "anna"
    pipeline.preprocess(tiny.clip, root, options(tiny))
    return root


@pytest.fixture
def copied(made, tmp_path):
    return shutil.copytree(made, tmp_path / "anna")


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
    broken = [s if s.name != "parsing" else type(s)(**{**vars(s), "run": stop}) for s in stages]
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "STAGES", tuple(broken))
        with pytest.raises(KeyboardInterrupt):
            pipeline.preprocess(tiny.clip, root, options(tiny))
    assert not DatasetFiles(root).manifest.exists()
    assert not list(root.rglob("*.partial")) and not list(root.rglob("half.bin"))
    assert set(read_records(root)) == {"ingest", "audio", "landmarks", "tracking"}
    ran.clear()
    pipeline.preprocess(tiny.clip, root, options(tiny))
    assert ran == ["parsing", "background", "torso"]
    assert read_manifest(root).frames == FRAMES


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
    with pytest.raises(InputError, match="is a file"):
        pipeline.preprocess(tiny.clip, tmp_path / "letter.txt", options(tiny))


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
