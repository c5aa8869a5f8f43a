import json

import pytest
import yaml

from nerf_talker.cli import main

TINY = {
    "clips": [{"name": "sample", "size": 64, "sample": {"seconds": 4}}],
    "configs": [{"name": "tiny", "config": "smoke", "change": {"train": {"steps": 12}}}],
    "seeds": [0, 1],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The tiny suite, really run: drawn, preprocessed, trained and measured."""
    root = tmp_path_factory.mktemp("benchmark")
    (root / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
        code = main(["benchmark", str(root / "tiny.yaml"), "-o", str(root / "out"), "--quiet"])
    return root, code


def test_suite_runs_from_drawing_to_table(finished):
    root, code = finished
    assert code == 0
    table = json.loads((root / "out" / "table.json").read_text())
    assert (table["suite"], table["drive"], table["failures"]) == ("tiny", "audio", [])
    rows = {row["name"]: row["figures"] for row in table["rows"]}
    assert set(rows) == {
        "tiny", "tiny (torso as tracked)", "tiny (head only)",
        "mean training frame", "nearest training frame",
    }  # fmt: skip
    assert rows["tiny"]["psnr"]["count"] == 2 and rows["tiny"]["psnr"]["spread"] > 0
    assert len(list((root / "out" / "cells").glob("*/run/avatar.safetensors"))) == 2
    assert not list(root.rglob(".*"))


def test_second_run_only_reads_and_its_own_table_is_no_regression(finished, capsys):
    root, _ = finished
    cells = sorted((root / "out" / "cells").glob("*/*"))
    before = [path.stat().st_mtime_ns for path in cells]
    stored = root / "out" / "table.json"
    command = ["benchmark", str(root / "tiny.yaml"), "-o", str(root / "out"), "--quiet"]
    assert main([*command, "--gate", str(stored), "--tolerance", "0"]) == 0
    assert [path.stat().st_mtime_ns for path in cells] == before
    assert "| sample | tiny | 2 |" in capsys.readouterr().out


def test_gate_names_the_metric_with_old_and_new_value(finished, tmp_path, capsys):
    root, _ = finished
    stored = json.loads((root / "out" / "table.json").read_text())
    stored["rows"][0]["figures"]["psnr"] = {"mean": 60.0, "spread": 0.1, "count": 2}
    (tmp_path / "stored.json").write_text(json.dumps(stored))
    command = ["benchmark", str(root / "tiny.yaml"), "-o", str(root / "out"), "--quiet"]
    assert main([*command, "--gate", str(tmp_path / "stored.json")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: regression: sample / tiny: psnr: was 60.00, is ")
    assert said.count("\n") == 1


def test_failing_cell_ends_with_one(tmp_path, capsys):
    gone = {**TINY, "clips": [{"name": "gone", "size": 64, "file": "gone.mp4"}], "seeds": [0]}
    (tmp_path / "gone.yaml").write_text(yaml.safe_dump(gone))
    command = ["benchmark", str(tmp_path / "gone.yaml"), "-o", str(tmp_path / "out"), "--quiet"]
    assert main([*command, "--clips", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "gone / tiny / seed 0" in shown.out and str(tmp_path / "gone.mp4") in shown.out
    assert "1 of the suite's cells failed" in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no such benchmark suite"),
        (["sample", "--gate", "nowhere.json"], "cannot be read"),
        (["sample", "--tolerance", "2"], "wanted is a part"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_runs(tmp_path, capsys, arguments, said):
    out = tmp_path / "out"
    assert main(["benchmark", *arguments, "-o", str(out)]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and said in shown and shown.count("\n") == 1
    assert not out.exists()
