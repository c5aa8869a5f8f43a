"""The suite file: which clips, which configurations, which seeds."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from nerf_talker.config import StrictModel, merge, read_yaml, validate
from nerf_talker.errors import ConfigError
from nerf_talker.experiment import ExperimentConfig, find_config
from nerf_talker.train.driving import Drive

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class SampleClip(StrictModel):
    """The built-in sample clip: its length in seconds and the seed of what is said."""

    seconds: float = Field(default=24.0, ge=4, le=600)
    seed: int = 0


class ClipEntry(StrictModel):
    """One clip, either a ``file`` or the built-in ``sample``, at ``size`` pixels of width."""

    name: Name
    size: int = Field(default=256, ge=64, le=2048, multiple_of=2)
    file: Path | None = None
    sample: SampleClip | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ClipEntry:
        if (self.file is None) == (self.sample is None):
            raise ValueError("name either a 'file' or the built-in 'sample'")
        return self


class ConfigEntry(StrictModel):
    """One configuration: a shipped name or a file, and what is changed in it."""

    name: Name
    config: str
    change: dict[str, Any] = {}


class VideoEntry(StrictModel):
    """A finished ``file`` of another system that shows the test split of ``clip``."""

    name: Name
    clip: Name
    file: Path


def _config_entry(value: object) -> object:
    """A bare line ``- demo`` means the configuration of that name, unchanged."""
    return {"name": Path(value).stem, "config": value} if isinstance(value, str) else value


class Suite(StrictModel):
    """What a benchmark runs: every clip with every configuration and seed."""

    clips: list[ClipEntry] = Field(min_length=1)
    configs: list[Annotated[ConfigEntry, BeforeValidator(_config_entry)]] = Field(min_length=1)
    seeds: list[int] = Field(default=[0], min_length=1)
    drive: Drive = "audio"
    videos: list[VideoEntry] = []

    @model_validator(mode="after")
    def _videos_have_clips(self) -> Suite:
        clips = {clip.name for clip in self.clips}
        for video in self.videos:
            if video.clip not in clips:
                raise ValueError(f"video {video.name}: no clip {video.clip} in this suite")
        _all_unlike([], [(video.clip, video.name) for video in self.videos])
        return self

    @field_validator("clips", "configs")
    @classmethod
    def _names_differ(cls, entries: list[Any]) -> list[Any]:
        return _all_unlike(entries, [entry.name for entry in entries])

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        return _all_unlike(seeds, seeds)


def _all_unlike(entries: list[Any], keys: list[Any]) -> list[Any]:
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"{twice[0]} is listed twice")
    return entries


def load_suite(name: str | Path) -> Suite:
    """A suite by path, or a shipped one by name (``sample``).

    Raises:
        ConfigError: Missing file, unknown key or wrong type; the key's path is named.
    """
    path = Path(name)
    shipped = Path(str(files("nerf_talker.configs"))) / "benchmarks"
    if not path.is_file():
        path = shipped / f"{path.stem}.yaml" if path.parent == Path(".") else path
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in shipped.glob("*.yaml")))
        raise ConfigError(f"{name}: no such benchmark suite; the shipped ones are {names}")
    return validate(Suite, read_yaml(path), str(path))


def resolve_config(entry: ConfigEntry, seed: int) -> ExperimentConfig:
    """The full configuration of one cell.

    Raises:
        ConfigError: No such configuration, or a key of it or of ``change`` is wrong.
    """
    content = merge(read_yaml(find_config(entry.config)), entry.change)
    content = merge(content, {"train": {"seed": seed}})
    return validate(ExperimentConfig, content, f"configuration {entry.name}")
