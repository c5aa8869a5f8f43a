from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from nerf_talker.benchmark.suite import Suite, load_suite, resolve_config
from nerf_talker.config import validate
from nerf_talker.errors import ConfigError
from tests.benchmark.fake_report import SUITE

SHIPPED = sorted((Path(str(files("nerf_talker.configs"))) / "benchmarks").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_suites_load_with_every_configuration(path):
    suite = load_suite(path.stem)
    assert suite == load_suite(path) and len(suite.seeds) > 1
    for entry in suite.configs:
        assert resolve_config(entry, 5).train.seed == 5


def test_a_new_configuration_is_one_line(tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump({**SUITE, "configs": ["smoke"]}) + "")
    before = load_suite(path)
    path.write_text(path.read_text().replace("- smoke\n", "- smoke\n- demo\n"))
    after = load_suite(path)
    assert [entry.name for entry in after.configs] == ["smoke", "demo"]
    assert after.configs[0] == before.configs[0]


def test_a_change_goes_over_its_configuration():
    suite = Suite.model_validate(SUITE)
    changed = resolve_config(suite.configs[1], 3)
    assert (changed.train.steps, changed.train.seed) == (90, 3)
    assert changed.train.sampler == resolve_config(suite.configs[0], 3).train.sampler


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seedz": [1]}, "seedz: unknown key"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "1 is listed twice"),
        ({"configs": ["smoke", "smoke"]}, "smoke is listed twice"),
        ({"clips": [{"name": "a"}]}, "either a 'file' or the built-in 'sample'"),
        ({"clips": [{"name": "a/b", "file": "x.mp4"}]}, "clips.0.name"),
        ({"clips": [{"name": "a", "file": "x.mp4", "fps": 25}]}, "clips.0.fps: unknown key"),
        ({"configs": [{"name": "a", "config": "smoke", "chnage": {}}]}, "chnage: unknown key"),
        ({"videos": [{"name": "a", "clip": "b", "file": "c.mp4"}]}, "no clip b in this suite"),
        ({"drive": "telepathy"}, "drive"),
    ],
)
def test_bad_suites_name_the_key(change, said):
    with pytest.raises(ConfigError, match=said):
        validate(Suite, {**SUITE, **change}, "suite.yaml")


def test_wrong_changes_and_names_are_told_before_anything_runs(tmp_path):
    entry = Suite.model_validate(SUITE).configs[1]
    wrong = entry.model_copy(update={"change": {"train": {"stepz": 1}}})
    with pytest.raises(ConfigError, match=r"configuration long: train\.stepz: unknown key"):
        resolve_config(wrong, 0)
    with pytest.raises(ConfigError, match="the shipped ones are real, sample"):
        load_suite("no-such-suite")
    with pytest.raises(ConfigError, match="no such benchmark suite"):
        load_suite(tmp_path / "sample.yaml")
