"""The whole configuration of a run, and how a file and the command line make one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from nerf_talker.config import StrictModel, read_yaml, validate
from nerf_talker.errors import ConfigError
from nerf_talker.render.talker import TalkerConfig
from nerf_talker.train.config import TrainConfig

MOST_NAMED = 4  # differences of two configurations that a message names


class ExperimentConfig(StrictModel):
    """Everything that decides a run besides its dataset."""

    talker: TalkerConfig = TalkerConfig()
    train: TrainConfig = TrainConfig()


def find_config(name: str | Path) -> Path:
    """A configuration by path, or a shipped one by name (``fast`` or ``configs/fast.yaml``).

    Raises:
        ConfigError: Neither exists; the shipped names are listed.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = Path(str(files("nerf_talker.configs")))
    candidate = shipped / f"{path.stem}.yaml"
    bare = path.suffix in ("", ".yaml") and path.parent in (Path("."), Path("configs"))
    if bare and candidate.is_file():
        return candidate
    names = ", ".join(sorted(p.stem for p in shipped.glob("*.yaml")))
    raise ConfigError(f"{name}: no such configuration file; the shipped ones are {names}")


def load_config(name: str | Path) -> ExperimentConfig:
    """Read and check a configuration.

    Raises:
        ConfigError: Missing file, unknown key or wrong type; the key's path is named.
    """
    path = find_config(name)
    return validate(ExperimentConfig, read_yaml(path), str(path))


def completed(text: str) -> str:
    """A kept configuration with the defaults of keys that came later; comments stay.

    One that this version cannot read is given back as it is.
    """
    comments = [line for line in text.splitlines(keepends=True) if line.startswith("#")]
    try:
        config = validate(ExperimentConfig, yaml.safe_load(text) or {}, "config.yaml")
    except (ConfigError, yaml.YAMLError):
        return text
    return "".join(comments) + to_yaml(config)


def added_since(text: str) -> dict[str, Any]:
    """Keys that a kept configuration did not have yet, by their path, with their defaults today.

    Args:
        text: What a run folder's config.yaml says.

    Returns:
        Nothing where this version cannot read it.
    """
    try:
        kept = yaml.safe_load(text) or {}
        config = validate(ExperimentConfig, kept, "config.yaml")
    except (ConfigError, yaml.YAMLError):
        return {}
    had = _leaves(kept)
    return {
        path: value
        for path, value in _leaves(config.model_dump(mode="json")).items()
        if not _with_all_above(path) & had.keys()
    }


def differences(kept: str, wanted: str) -> str:
    """Where a kept configuration and a wanted one part, for a person; empty if they cannot say.

    Args:
        kept: What a run folder's config.yaml says.
        wanted: What is to be trained, as :func:`to_yaml` says it under the same comments.
    """
    comments = [[line for line in t.splitlines() if line.startswith("#")] for t in (kept, wanted)]
    if comments[0] != comments[1]:
        return "its dataset was another one"
    try:
        old, new = (_leaves(yaml.safe_load(text) or {}) for text in (completed(kept), wanted))
    except (yaml.YAMLError, AttributeError):
        return ""
    parted = [
        f"{path} was {old.get(path, 'not there')} and is {new.get(path, 'no more')}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    more = f" and {len(parted) - MOST_NAMED} more" if len(parted) > MOST_NAMED else ""
    return ", ".join(parted[:MOST_NAMED]) + more


def _with_all_above(path: str) -> set[str]:
    """A dotted path and its beginnings: a section may have been kept as one value."""
    parts = path.split(".")
    return {".".join(parts[: k + 1]) for k in range(len(parts))}


def _leaves(content: dict[str, Any], above: str = "") -> dict[str, Any]:
    """The values of nested mappings by their dotted paths."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        path = f"{above}{key}"
        found |= _leaves(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return found


def to_yaml(config: ExperimentConfig) -> str:
    """The full resolved configuration as YAML."""
    content: dict[str, Any] = config.model_dump(mode="json")
    return yaml.safe_dump(content, sort_keys=False)
