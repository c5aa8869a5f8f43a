import pytest

from nerf_talker.cli import main
from nerf_talker.weights import REGISTRY


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path))


def test_list_names_every_file_with_licence_and_cure(capsys, tmp_path):
    (tmp_path / "lpips_alex.npz").write_bytes(b"junk")
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    for model in REGISTRY.values():
        assert model.name in shown and model.sha256 in shown and model.licence in shown
    assert "missing (nerf-talker models fetch face_landmarker.task)" in shown
    assert f"{tmp_path / 'lpips_alex.npz'}: not the expected file" in shown


def test_fetch_ends_with_one_when_a_file_could_not_be_had(capsys):
    assert main(["models", "fetch"]) == 1
    shown = capsys.readouterr().out
    fetchable = sum(model.fetchable for model in REGISTRY.values())
    assert shown.count("error: ") == fetchable == len(REGISTRY) - 1
    assert shown.count("note: ") == 1
    assert main(["models", "fetch", "hair_segmentation.tflite"]) == 1
    assert "cannot be fetched" in capsys.readouterr().out


def test_fetch_refuses_an_unknown_name(capsys):
    assert main(["models", "fetch", "nope"]) == 1
    assert "nope: unknown model file" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["bogus"]])
def test_wrong_usage_ends_with_two(arguments):
    assert main(["models", *arguments]) == 2
