"""The benchmark runs, counts and writes; how long anything takes is asserted nowhere."""

import json
import sys

import pytest
import torch

from nerf_talker import ops
from nerf_talker.field.head import mlp
from tests import optional_packages
from tests.benchmarks import __main__ as bench
from tests.benchmarks import counts, machine, op_rows, package_rows, stage_rows, talker_rows, timing
from tests.benchmarks.report import section
from tests.benchmarks.shell_head import shell_head


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    for module, name, value in (
        (timing, "REPEATS", 1),
        (talker_rows, "STEP_REPEATS", 1),
        (talker_rows, "LAYERED", ("concat",)),  # compiling takes seconds
        (talker_rows, "FRAME_REPEATS", 1),
        (stage_rows, "FRAMES", 3),
        (op_rows, "SAMPLES", 300),
        (op_rows, "RAYS", 40),
        (op_rows, "GRIDS", {"small": (3, 8, 40, 10, 2)}),
        (machine, "COPIED", 2**12),
        (machine, "GATHERED", 2**10),
        (machine, "EDGES", {"cpu": 16, "cuda": 16}),
    ):
        monkeypatch.setattr(module, name, value)


RATES = machine.Roofline(bandwidth=1e9, float32=1e9, bfloat16=4e9, gathers=1e6)


def row(**changed):
    given = {"times": {"reference": 8.0, "cpu": 2.0}, "items": 10, "unit": "rays"}
    return timing.Row("a row", **{**given, "bytes": 1e6, "flop": 1e5, **changed})


def test_everything_is_run_and_written(tmp_path, capsys):
    files = tmp_path / "table.md", tmp_path / "table.json"
    wanted = ["--device", "cpu", "--size", "32", "--rays", "64"]
    bench.main([*wanted, "--markdown", str(files[0]), "--json", str(files[1])])
    text, content = files[0].read_text(), json.loads(files[1].read_text())
    for part in ("plain gather, ms", "encode small: forward", "head layer of a shell", "64 rays"):
        assert part in text and part in capsys.readouterr().out + text
    assert "commit" in content["machine"] and content["rates"]["gathers"] > 0
    for stage in ("features", "networks", "march", "composite", "encode", "end to end"):
        assert f"| {stage} |" in text
    rows = [one for table in content["tables"].values() for one in table]
    assert len(rows) >= 14
    for one in rows:
        assert one["items"] > 0 and one["flop"] > 0, one["name"]
        assert all(took > 0 for took in one["times"].values())
    steps = content["tables"]["training step"]
    assert {one["dtype"] for one in steps} == {"float32", "bfloat16"}
    assert any("compiled" in one["times"] for one in steps)


def test_a_missing_package_is_named(capsys):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: the packages may be there")
    bench.main(["--device", "cpu", "--only", "packages"])
    said = capsys.readouterr().out
    for name in ("nerfacc", "tinycudann"):
        assert f"{name} is not compared: needs a CUDA GPU, and torch sees none\n" in said


def test_packages_are_compared_where_they_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "nerfacc", optional_packages.nerfacc())
    monkeypatch.setitem(sys.modules, "tinycudann", optional_packages.tinycudann())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    monkeypatch.setattr(timing, "settle", lambda: None)
    rows = list(package_rows.package_rows())
    assert [next(iter(one.times)) for one in rows] == ["nerfacc"] * 2 + ["tinycudann"] * 2
    assert all(one.flop > 0 for one in rows)


def test_what_takes_longest_of_three_is_named():
    assert RATES.longest(row()) == ("memory", pytest.approx(1.0))
    assert RATES.longest(row(flop=3e6)) == ("arithmetic", pytest.approx(3.0))
    assert RATES.longest(row(flop=6e6, dtype="bfloat16")) == ("arithmetic", pytest.approx(1.5))
    assert RATES.longest(row(gathers=5e3)) == ("random reads", pytest.approx(5.0))


def test_a_table_has_a_column_for_each_yardstick():
    other = row(times={"reference": 8.0, "plain gather": 3.0, "cpu": 2.0})
    lines = section("what", [row(), other], RATES).splitlines()
    assert "reference, ms | ratio | plain gather, ms | ratio" in lines[0]
    assert len({line.count("|") for line in lines}) == 1
    assert "| 8.00 | 4.0 |  |  |" in lines[2] and "| 8.00 | 4.0 | 3.00 | 1.5 |" in lines[3]
    assert "50% memory" in lines[2] and "0.005 rays" in lines[2]


def test_random_reads_are_a_yardstick_and_no_floor():
    text = section("what", [row(gathers=5e3)], RATES)
    assert "| 2.5 × random reads |" in text and "250%" not in text and "floor" not in text


def test_work_is_counted_by_hand():
    assert counts.networks(mlp(3, 5, 2)) == 2 * (15 + 10)
    layout = ops.GridLayout.geometric(4, 8, 64, 10, 2)
    once = counts.encode(10, layout)
    assert once == {"bytes": 10 * (12 + 24 * 4), "flop": 10 * 24 * 8, "gathers": 10 * 12 * 4}
    assert counts.encode(10, layout, backward=True)["gathers"] == 2 * once["gathers"]
    assert counts.composite(2, 10, 6) == {"bytes": 10 * 32 + 2 * 44, "flop": 10 * 17}


def test_the_untrained_head_costs_what_a_trained_one_does():
    talker = shell_head(64)
    share = float(talker.occupancy.cells.float().mean())
    assert 0.1 < share < 0.2
    assert 1.5 < talker_rows.met(talker) / 64**2 < 2.5
