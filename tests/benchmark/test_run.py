import json

import pytest

from nerf_talker.benchmark import run, table
from nerf_talker.benchmark.cell import clip_digest
from nerf_talker.benchmark.suite import ClipEntry
from nerf_talker.errors import ConfigError, InputError, TrainingError
from tests.benchmark.fake_report import SUITE, Bench


@pytest.fixture
def bench(monkeypatch, tmp_path):
    return Bench(monkeypatch, tmp_path / "bench")


def test_every_cell_runs_once_and_the_table_has_mean_and_spread(bench):
    made = bench.run()
    assert len(bench.trained) == 4 and not made.failures
    rows = {row.name: row for row in made.rows}
    assert list(rows) == [
        "smoke", "smoke (torso as tracked)", "smoke (head only)",
        "long", "long (torso as tracked)", "long (head only)",
        "mean training frame", "nearest training frame",
    ]  # fmt: skip
    assert rows["smoke"].figures["psnr"].mean == 30.5
    assert rows["smoke (torso as tracked)"].figures["psnr"].mean == 31.5
    assert rows["long"].figures["psnr"].spread == pytest.approx(0.5**0.5)
    assert rows["smoke"].seeds == 2 and rows["mean training frame"].seeds == 0
    assert rows["smoke"].figures["train_seconds"].mean == 7
    assert {"table.json", "table.csv", "table.md", "table.html"} <= {
        path.name for path in bench.root.iterdir()
    }
    assert table.read_table(bench.root / "table.json") == made


def test_what_is_done_is_not_done_again(bench):
    first = bench.run()
    again = bench.run()
    assert bench.trained == [] and again == first
    bench.run(seeds=[0, 1, 2])
    assert sorted(bench.trained) == ["sample / long / seed 2", "sample / smoke / seed 2"]


def test_a_stop_loses_only_the_cell_it_was_in(bench):
    bench.fails["sample / smoke / seed 1"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    so_far = json.loads((bench.root / "table.json").read_text())
    assert so_far["rows"][0]["seeds"] == 1
    bench.fails["sample / long / seed 1"] = bench.fails.pop("sample / smoke / seed 1")
    with pytest.raises(KeyboardInterrupt):
        bench.run(seeds=[2, 1, 0])
    so_far = json.loads((bench.root / "table.json").read_text())
    assert so_far["rows"][0]["seeds"] == 3, "what was done before stays in the table"
    bench.fails.clear()
    bench.run()
    assert bench.trained == ["sample / long / seed 1"]


def test_other_code_settings_or_footage_are_other_cells(bench, monkeypatch):
    bench.run(seeds=[0])
    shorter = [bench.suite.configs[0].model_copy(update={"change": {"train": {"steps": 7}}})]
    bench.run(seeds=[0], configs=shorter)
    assert bench.trained == ["sample / smoke / seed 0"]
    smaller = [bench.suite.clips[0].model_copy(update={"size": 96})]
    bench.run(seeds=[0], clips=smaller)
    assert len(bench.trained) == 2
    bench.run(seeds=[0])
    assert bench.trained == []
    monkeypatch.setattr(run, "code_digest", lambda: "new")
    bench.run(seeds=[0])
    assert len(bench.trained) == 2


def test_one_failing_cell_is_reported_and_stops_no_other(bench):
    bench.fails["sample / smoke / seed 0"] = TrainingError("step 3: the loss is nan")
    bench.fails["sample / long / seed 1"] = ZeroDivisionError("by nothing")
    made = bench.run()
    assert [(failure.cell, failure.sentence) for failure in made.failures] == [
        ("sample / smoke / seed 0", "step 3: the loss is nan"),
        ("sample / long / seed 1", "a fault of the program: ZeroDivisionError: by nothing"),
    ]
    rows = {row.name: row.seeds for row in made.rows}
    assert rows["smoke"] == rows["long"] == 1
    assert "step 3: the loss is nan" in (bench.root / "table.md").read_text()
    bench.fails.clear()
    assert not bench.run().failures and len(bench.trained) == 2


def test_a_clip_that_cannot_be_prepared_is_tried_once(bench):
    bench.fails["prepare"] = InputError("landmarks: no face")
    made = bench.run()
    assert len(bench.prepared) == 1 and bench.trained == []
    assert {failure.sentence for failure in made.failures} == {"landmarks: no face"}
    assert len(made.failures) == 4 and made.rows == []


def test_a_missing_clip_names_the_cure_and_the_others_go_on(monkeypatch, tmp_path):
    gone = {"name": "gone", "size": 64, "file": "gone.mp4"}
    bench = Bench(monkeypatch, tmp_path / "bench", {**SUITE, "clips": [gone, *SUITE["clips"]]})
    made = bench.run()
    assert len(made.failures) == 4 and len(bench.trained) == 4
    assert "--clips" in made.failures[0].sentence


def test_a_wrong_configuration_stops_before_anything_is_made(bench):
    wrong = [bench.suite.configs[0].model_copy(update={"config": "no-such"})]
    with pytest.raises(ConfigError, match="no such configuration"):
        bench.run(configs=wrong)
    assert not bench.root.exists()


def test_lips_that_cannot_be_driven_so_are_refused_before_anything_is_trained(bench):
    entry = bench.suite.configs[0]
    sound = {"talker": {"mouth": {"source": "sound"}}}
    hearing = [entry.model_copy(update={"name": "hearing", "change": sound})]
    with pytest.raises(ConfigError, match=r"^fake: .*lips of hearing learn from the sound"):
        bench.run(configs=[entry, *hearing], drive="landmarks")
    assert not bench.trained and not bench.root.exists()
    bench.run(configs=hearing, seeds=[0], drive="audio")
    assert bench.trained == ["sample / hearing / seed 0"]


def test_a_clip_is_known_by_its_content(tmp_path):
    entry = ClipEntry(name="a", file="a.mp4")
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    first.write_bytes(b"one")
    second.write_bytes(b"one")
    assert clip_digest(entry, first) == clip_digest(entry, second)
    second.write_bytes(b"two")
    assert clip_digest(entry, first) != clip_digest(entry, second)


def test_another_system_s_video_is_a_row_measured_once(monkeypatch, tmp_path):
    video = tmp_path / "peer.mp4"
    video.write_bytes(b"one")
    entry = {"name": "peer", "clip": "sample", "file": str(video)}
    gone = {"name": "gone", "clip": "sample", "file": str(tmp_path / "gone.mp4")}
    bench = Bench(monkeypatch, tmp_path / "bench", {**SUITE, "videos": [entry, gone]})
    made = bench.run()
    row = made.rows[-1]
    assert (row.name, row.seeds, row.figures["psnr"].mean) == ("peer (video)", 0, 27)
    assert [failure.cell for failure in made.failures] == ["sample / gone"]
    assert len(bench.run().rows) == 9 and bench.watched == ["peer.mp4"]
    video.write_bytes(b"two")
    bench.run()
    assert bench.watched == ["peer.mp4"] * 2
