import json
from types import SimpleNamespace

import pytest

from nerf_talker.cli import main
from tests.evaluate.toy_face import portraits, toy_dataset


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_dataset(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def trained(toy, monkeypatch, tmp_path):
    """A run folder and a dataset path behind which the toy talker stands."""
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "avatar.safetensors").write_bytes(b"")
    asked = []

    def render(talker, dataset, frames, drive):
        asked.append(drive)
        return portraits(dataset, frames)

    metadata = SimpleNamespace(model_dump=lambda: {"train_seconds": 7})
    talker = SimpleNamespace(need_landmarks=lambda option: None)
    avatar = SimpleNamespace(talker=talker, metadata=metadata)
    prefix = "nerf_talker.evaluate.evaluation"
    monkeypatch.setattr(f"{prefix}.Dataset.open", lambda root, quiet: toy)
    monkeypatch.setattr(f"{prefix}.load_avatar", lambda path, device: avatar)
    monkeypatch.setattr(f"{prefix}.render_frames", render)
    monkeypatch.setattr(f"{prefix}.probe_talker", lambda *_: None)
    return tmp_path, asked


def test_verb_writes_the_report_and_prints_the_table(trained, capsys):
    folder, asked = trained
    out = folder / "report"
    arguments = [str(folder / "run"), "--dataset", str(folder), "-o", str(out)]
    assert main(["evaluate", *arguments, "--drive", "landmarks", "--quiet"]) == 0
    assert asked == ["landmarks"]
    shown = capsys.readouterr()
    assert "nearest training frame" in shown.out and "not measured: lmd" in shown.out
    assert "evaluate:" not in shown.err
    content = json.loads((out / "report.json").read_text())
    assert content["drive"] == "landmarks" and content["speed"]["train_seconds"] == 7
    assert content["avatar"].endswith("avatar.safetensors")
    assert not (out / "pred.mkv").exists()


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["nowhere", "--dataset", "nowhere", "-o", "report"], "no avatar here"),
        ([".", "--dataset", "nowhere", "-o", "report"], "no avatar here"),
    ],
)
def test_missing_run_is_one_sentence(monkeypatch, tmp_path, capsys, arguments, why):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *arguments]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and why in shown and shown.count("\n") == 1


def test_missing_dataset_is_one_sentence(monkeypatch, tmp_path, capsys):
    (tmp_path / "avatar.safetensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", ".", "--dataset", "nowhere", "-o", "report"]) == 1
    assert "no dataset here" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["run"], ["run", "--dataset", "d", "-o", "r", "--bogus"]]
)
def test_wrong_usage_ends_with_two(arguments):
    assert main(["evaluate", *arguments]) == 2
