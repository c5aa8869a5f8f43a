from importlib.resources import files
from pathlib import Path

import pytest

from nerf_talker.errors import ConfigError
from nerf_talker.experiment import ExperimentConfig, differences, load_config, to_yaml

SHIPPED = sorted(Path(str(files("nerf_talker.configs"))).glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_config_loads_and_round_trips(path, tmp_path):
    config = load_config(path)
    assert config.train.steps > 0
    copy = tmp_path / "copy.yaml"
    copy.write_text(to_yaml(config))
    assert load_config(copy) == config


def test_a_variant_is_its_difference_from_its_parent(tmp_path):
    (tmp_path / "base.yaml").write_text("train: {steps: 7, seed: 3}\n")
    (tmp_path / "child.yaml").write_text("parent: base.yaml\ntrain: {steps: 9}\n")
    config = load_config(tmp_path / "child.yaml")
    assert (config.train.steps, config.train.seed) == (9, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {stepz: 1}", "train.stepz: unknown key"),
        ("train: {steps: many}", "train.steps: found 'many', should be a valid integer"),
        ("train: {poses: {focal: true}}", "train.poses: focal learns with the poses"),
        ("train: {grid_learning_rate: .nan}", "train.grid_learning_rate: found nan, .* finite"),
        ("train: {net_weight_decay: .inf}", "train.net_weight_decay: found inf, .* finite"),
        ("[1, 2]", "mapping"),
        ("a: [", "not a YAML file"),
        ("parent: missing.yaml", "no such configuration"),
        ("parent: bad.yaml", "its own parent"),
    ],
)
def test_bad_config_names_the_key(tmp_path, text, said):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / "bad.yaml")


def test_unknown_name_lists_the_shipped_ones():
    with pytest.raises(ConfigError, match="fast"):
        load_config("no-such-config")


def test_the_base_config_is_the_code():
    assert load_config("portrait") == ExperimentConfig()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {preview_interval: 0}", "train.preview_interval"),
        ("talker: {head: {grid: {base: 1}}}", "talker.head.grid.base"),
        ("talker: {head: {grid: {levels: 0}}}", "talker.head.grid.levels"),
        ("train: {sampler: {face: 0.9}}", "at most 1 together"),
    ],
)
def test_values_out_of_range_are_refused(tmp_path, text, said):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / "bad.yaml")


def test_where_two_kept_configurations_part_is_named():
    old, new = (to_yaml(ExperimentConfig(train={"steps": steps})) for steps in (7, 9))
    assert differences(old, new) == "train.steps was 7 and is 9"
    assert differences(f"# dataset: a\n{old}", f"# dataset: b\n{old}") == (
        "its dataset was another one"
    )
    assert differences(old, old) == differences("[", new) == ""


def test_a_wrong_path_is_not_taken_for_a_shipped_name():
    assert load_config("configs/fast.yaml") == load_config("fast")
    with pytest.raises(ConfigError, match="no such configuration"):
        load_config("no/such/folder/portrait.yaml")
