import json
import shutil

import numpy as np
import pytest

from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles, contiguous_splits, read_manifest
from nerf_talker.errors import DatasetError
from nerf_talker.train.driving import dataset_driving
from nerf_talker.types import TORSO_GRID, TORSO_MODES


@pytest.fixture
def copy(ellipse_folder, tmp_path):
    return shutil.copytree(ellipse_folder, tmp_path / "copy", ignore=lambda *_: ["cache"])


def test_pictures_come_back_as_they_were_written(ellipse):
    from tests.builders import head_pictures

    opening = np.abs(np.sin(np.arange(ellipse.manifest.frames) * 0.4))
    pictures, labels = head_pictures(opening)
    assert np.array_equal(ellipse.labels, labels)
    difference = ellipse.frames.astype(int) - pictures
    assert np.abs(difference).mean() < 2
    assert ellipse.head_mask(3).sum() == (labels[3] >= 2).sum()


def test_cache_is_memory_mapped_and_rebuilt_when_the_video_changes(copy):
    first = Dataset.open(copy)
    assert isinstance(first.frames, np.memmap)
    names = {path.name for path in (copy / "cache").iterdir()}
    Dataset.open(copy)
    assert {path.name for path in (copy / "cache").iterdir()} == names
    files = DatasetFiles(copy)
    content = files.labels.read_bytes()
    files.labels.unlink()
    files.labels.write_bytes(content)
    Dataset.open(copy)
    assert {path.name for path in (copy / "cache").iterdir()} != names
    assert len(list((copy / "cache").glob("labels-*"))) == 1


@pytest.mark.parametrize("frames", [11, 60, 300, 1779])
def test_splits_are_disjoint_contiguous_and_complete(frames):
    splits = contiguous_splits(frames)
    assert splits["train"][0] == 0 and splits["test"][1] == frames
    assert splits["train"][1] == splits["val"][0] and splits["val"][1] == splits["test"][0]
    assert splits["test"][0] == int(frames * 10 / 11)


def break_version(root):
    path = DatasetFiles(root).manifest
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))


def break_manifest(root):
    DatasetFiles(root).manifest.write_text('{"version": 1, "fra')


def break_key(root):
    path = DatasetFiles(root).manifest
    path.write_text(json.dumps({**json.loads(path.read_text()), "frames": "many"}))


def break_track(root):
    content = DatasetFiles(root).track.read_bytes()
    DatasetFiles(root).track.write_bytes(content[: len(content) // 2])


def break_row(root, key):
    path = DatasetFiles(root).track
    arrays = dict(np.load(path))
    arrays[key][7] = np.nan
    np.savez(path, **arrays)


def cut_row(root, key):
    path = DatasetFiles(root).track
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, key: arrays[key][:-1]})


def bend_torso(root, frames, modes=TORSO_MODES):
    path = DatasetFiles(root).track
    bend = np.ones((frames, modes), np.float32)
    grids = np.ones((modes, TORSO_GRID, TORSO_GRID, 2), np.float32)
    np.savez(path, **{**np.load(path), "torso_modes": grids, "torso_bend": bend})


def break_video(root):
    content = DatasetFiles(root).frames.read_bytes()
    DatasetFiles(root).frames.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("breaking", "said"),
    [
        (break_version, "newer version"),
        (break_manifest, "damaged"),
        (break_key, "frames"),
        (break_track, "damaged"),
        (lambda root: break_row(root, "camera_to_head"), "camera_to_head of frame 7"),
        (lambda root: break_row(root, "torso_motion"), "torso_motion of frame 7"),
        (lambda root: cut_row(root, "torso_motion"), "torso_motion has 199 rows"),
        (break_video, "frame"),
        (lambda root: bend_torso(root, 7), "torso_bend .7, 8. do not fit"),
        (lambda root: bend_torso(root, 200, 3), "do not fit"),
        (lambda root: DatasetFiles(root).background.unlink(), "background"),
        (lambda root: DatasetFiles(root).labels.unlink(), "missing"),
        (lambda root: DatasetFiles(root).manifest.unlink(), "no dataset here"),
    ],
)
def test_damage_is_named(copy, breaking, said):
    breaking(copy)
    with pytest.raises(DatasetError, match=said):
        Dataset.open(copy)
    assert not [path for path in (copy / "cache").glob("*") if path.name.startswith(".")]


def test_a_torso_bends_where_the_dataset_says_so(copy):
    before = Dataset.open(copy)
    assert before.torso_bend.shape == (before.manifest.frames, TORSO_MODES)
    assert not before.torso_bend.any() and not before.torso_modes.any()
    bend_torso(copy, before.manifest.frames)
    after = Dataset.open(copy)
    assert after.torso_bend.all() and after.torso_modes.shape == before.torso_modes.shape
    driving = dataset_driving(after, [3, 4], "audio").select([1])
    assert driving.torso_bend.tolist() == [[1.0] * TORSO_MODES]


def test_a_missing_folder_says_how_to_make_one(tmp_path):
    with pytest.raises(DatasetError, match="nerf-talker preprocess"):
        read_manifest(tmp_path / "nowhere")
