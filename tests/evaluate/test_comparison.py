import csv
import json
import re

import pytest

from nerf_talker.errors import InputError
from nerf_talker.evaluate import EvaluateOptions, Report, compare_reports, evaluate_frames
from nerf_talker.evaluate.comparison import text_table
from nerf_talker.evaluate.gaps import flat
from nerf_talker.evaluate.json_schema import report_schema
from tests.evaluate.toy_face import portraits


@pytest.fixture(scope="module")
def reports(toy, tmp_path_factory):
    """A good and a noisy late talker, in folders of one name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("NERF_TALKER_MODELS", str(tmp_path_factory.mktemp("models")))
        root = tmp_path_factory.mktemp("runs")
        for name, how in (("good", {"noise": 0.01}), ("poor", {"noise": 0.05, "late": 2})):
            options = EvaluateOptions(split="train")
            rendered = portraits(toy, toy.manifest.range("train"), **how)
            evaluate_frames(toy, rendered, root / name / "report", options, {})
        return [root / "good" / "report", root / "poor" / "report"]


def test_comparison_names_marks_and_draws(reports, tmp_path):
    entries = compare_reports(reports, tmp_path / "out")
    assert [entry.name for entry in entries] == ["good/report", "poor/report"]
    text = (tmp_path / "out" / "compare.html").read_text()
    rows = re.findall(r"<tr><td>(good|poor)/report</td>(.*?)</tr>", text)
    first = {name: cells for name, cells in rows[:2]}
    assert first["good"].startswith("<td class=best>") and "class=best" not in first["poor"]
    assert text.count("<svg") >= 3 and "nothing is marked" not in text
    assert not re.search(r"(?:src|href)=['\"](?!data:)", text)
    assert text_table(entries).splitlines()[1].startswith("good/report")


def test_comparison_table_holds_every_figure(reports, tmp_path):
    entries = compare_reports(reports, tmp_path)
    with (tmp_path / "compare.csv").open() as stream:
        rows = {row["figure"]: row for row in csv.DictReader(stream)}
    assert set(rows) == set(flat(entries[0].report.metrics))
    assert float(rows["psnr"]["good/report"]) > float(rows["psnr"]["poor/report"])
    assert rows["lpips"]["good/report"] == ""


def test_reports_of_different_frames_are_shown_but_not_ranked(reports, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    content = json.loads((reports[0] / "report.json").read_text())
    (other / "report.json").write_text(json.dumps({**content, "frames": 7}))
    compare_reports([reports[0], other], tmp_path / "out")
    text = (tmp_path / "out" / "compare.html").read_text()
    assert "nothing is marked as best" in text and "class=best" not in text


def test_a_report_of_version_one_is_still_read(reports, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    content = json.loads((reports[0] / "report.json").read_text())
    for key in ("schema_version", "kind", "height", "fps", "alignment"):
        del content[key]
    for row in (content["metrics"], content["head_only"], *content["baselines"].values()):
        for key in ("regions", "motion", "fid", "kid", "fid_frames", "identity"):
            del row[key]
        del row["mouth_face_sharpness"]
    for key in ("cpbd", "cpbd_face", "blinks_per_minute", "blink_seconds", "closed_in_silence"):
        del content["truth"][key]
    (old / "report.json").write_text(json.dumps(content))
    assert compare_reports([old, reports[1]], tmp_path / "out")[0].report.metrics.psnr is not None


@pytest.mark.parametrize("content, why", [(None, "no report.json"), ("{}", "not a report")])
def test_a_folder_without_a_report_is_one_sentence(reports, tmp_path, content, why):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(InputError, match=why):
        compare_reports([reports[0], tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_schema_describes_every_key_and_a_report_fits_it(reports):
    schema = json.loads(report_schema())
    parts = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    assert len(parts) >= 9
    for part in parts:
        for name, entry in part["properties"].items():
            assert entry.get("description", "").endswith((".", "older")), name
    content = json.loads((reports[0] / "report.json").read_text())
    assert set(content) == set(schema["properties"])
    assert Report.model_validate(content).schema_version == 3
    validator = pytest.importorskip("jsonschema", reason="jsonschema is not here")
    validator.validate(content, schema)


@pytest.mark.parametrize(
    "content",
    [b"", b"junk\n", b"frame,lip_gap_truth\n0,word\n", b"frame,lip_gap_truth\n0\n", b"\xff\n1\n"],
)
def test_a_table_of_frames_that_is_none_is_one_sentence(reports, tmp_path, content):
    (tmp_path / "report.json").write_bytes((reports[0] / "report.json").read_bytes())
    (tmp_path / "frames.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"frames\.csv: not a table of frames; evaluate again"):
        compare_reports([reports[0], tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()
