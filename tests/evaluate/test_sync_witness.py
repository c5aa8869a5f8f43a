import json
from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.errors import WeightsError
from nerf_talker.evaluate import sync_witness
from nerf_talker.evaluate.sync_report import EXPERT
from nerf_talker.evaluate.sync_store import load_expert, save_expert
from nerf_talker.evaluate.sync_witness import open_witness
from nerf_talker.losses.sync_expert import SyncExpertConfig
from tests.evaluate.toy_face import toy_dataset

QUICK = SyncExpertConfig(hidden=8, components=6, steps=30)


@pytest.fixture
def own(tmp_path):
    """A toy dataset of the test's own, whose cache it may spoil."""
    return toy_dataset(tmp_path)


def cached(dataset):
    return sorted(DatasetFiles(dataset.root).cache.glob("*"))


def refuse(*given):
    raise AssertionError("learned again")


def watched(dataset, witness, late, frames, row="own"):
    for frame in frames:
        witness.see(row, dataset.frames[max(frame - late, 0)], frame)
    return witness.verdict(dataset, frames)


@pytest.mark.parametrize("late", [0, 3])
def test_a_late_mouth_is_told_by_its_pictures(toy, late):
    frames = range(20, 110)
    verdict = watched(toy, open_witness(toy), late, frames)
    assert verdict.figures("own")["sync_offset_frames"] == late
    assert verdict.figures("own")["sync_confidence"] > 0.2
    assert verdict.info().expert == EXPERT == "nerf-talker expert"
    assert len(verdict.info().lags) == len(verdict.info().distances["own"]) == 31
    assert "LSE" not in json.dumps(verdict.info().model_dump())


def test_a_second_evaluation_takes_the_kept_expert(own, monkeypatch):
    first = open_witness(own, config=QUICK)
    assert [path.suffix for path in cached(own)] == [".safetensors"]
    monkeypatch.setattr(sync_witness, "learn_expert", refuse)
    again = open_witness(own, config=QUICK)
    frames = range(40, 90)
    one, two = (watched(own, witness, 1, frames).info() for witness in (first, again))
    assert one == two


def test_another_sound_or_seed_never_meets_an_old_expert(own, monkeypatch):
    open_witness(own, config=QUICK)
    (before,) = cached(own)
    louder = replace(own, audio=replace(own.audio, values=own.audio.values * 2))
    open_witness(louder, config=QUICK)
    (after,) = cached(own)
    assert after != before
    monkeypatch.setattr(sync_witness, "learn_expert", refuse)
    with pytest.raises(AssertionError, match="learned again"):
        open_witness(louder, config=QUICK.model_copy(update={"seed": 1}))


def test_a_damaged_cache_is_made_anew(own):
    open_witness(own, config=QUICK)
    (path,) = cached(own)
    content = path.read_bytes()
    path.write_bytes(content[:100])
    open_witness(own, config=QUICK)
    assert path.read_bytes() == content


def test_a_cache_that_cannot_be_written_costs_no_result(own, caplog):
    DatasetFiles(own.root).cache.write_text("in the way")
    assert open_witness(own, config=QUICK).expert is not None
    assert "is not kept" in caplog.text


def test_an_expert_given_as_a_file_is_used(own, tmp_path, monkeypatch):
    path = tmp_path / "expert.safetensors"
    save_expert(open_witness(own, config=QUICK).expert, path)
    monkeypatch.setattr(sync_witness, "learn_expert", refuse)
    given = open_witness(own, path).expert
    assert given.config == QUICK and not given.training
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode, "others may read it too"


def test_files_that_are_no_expert_are_one_sentence(own, tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "expert.safetensors"
    with pytest.raises(WeightsError, match="no lip-sync expert here"):
        open_witness(own, path)
    silent = replace(own, root=tmp_path / "silent")
    with pytest.raises(WeightsError, match="no lip-sync expert here"):
        open_witness(silent, path)
    path.write_bytes(b"junk")
    with pytest.raises(WeightsError, match="cannot be read as a lip-sync expert"):
        load_expert(path)
    save_file({"weights": np.zeros(3, np.float32)}, path)
    with pytest.raises(WeightsError, match="is no lip-sync expert"):
        load_expert(path)
    save_expert(open_witness(own, config=QUICK).expert, path)
    wide = np.zeros((len(own.audio.values), 9), np.float32)
    with pytest.raises(WeightsError, match="listens to 6 speech features, the dataset holds 9"):
        open_witness(replace(own, audio=replace(own.audio, values=wide)), path)


def test_what_cannot_be_judged_says_why(toy, tmp_path):
    silent = open_witness(replace(toy, root=tmp_path / "silent"))
    assert silent.verdict(toy, range(90)).missing == "the dataset holds no sound"
    short = watched(toy, open_witness(toy), 0, range(30))
    assert short.missing == "30 frames, the sync expert needs 31"
    assert short.figures("own")["sync_offset_frames"] is None and short.info() is None
    blind = replace(toy, track=replace(toy.track, valid=np.zeros(toy.manifest.frames, bool)))
    assert open_witness(blind).verdict(toy, range(90)).missing == "no training frame shows a face"
    brief = toy.manifest.model_copy(update={"splits": {"train": (0, 40)}})
    reason = open_witness(replace(toy, manifest=brief)).verdict(toy, range(90)).missing
    assert reason == "40 training frames, the sync expert needs 46"
