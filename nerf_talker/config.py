"""Typed configuration: pydantic models live beside the class they configure; this is their base.

A YAML file may name a ``parent`` (a path beside it) and then holds only its difference from it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from nerf_talker.errors import ConfigError


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys, wrong types and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MeasuredModel(StrictModel):
    """A strict model of measured figures, which may be infinite: equal pictures have no noise."""

    model_config = ConfigDict(allow_inf_nan=True)


ModelT = TypeVar("ModelT", bound=BaseModel)


def merge(base: dict[str, Any], difference: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the leaves of ``difference`` put over it; neither argument is changed."""
    merged = dict(base)
    for key, value in difference.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file with its parents resolved.

    Raises:
        ConfigError: The file is missing, is no YAML mapping, or its parents form a loop.
    """
    return _read_yaml(Path(path), ())


def _read_yaml(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in children:
        raise ConfigError(f"{path}: is its own parent; remove the loop of 'parent' keys")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a YAML file ({str(error).splitlines()[0]})") from None
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, found {type(content).__name__}")
    parent = content.pop("parent", None)
    if parent is None:
        return content
    return merge(_read_yaml(path.parent / str(parent), (*children, path.resolve())), content)


def validate(model: type[ModelT], content: dict[str, Any], source: str) -> ModelT:
    """``content`` as a ``model``; ``source`` names where it came from in the message.

    Raises:
        ConfigError: A key is unknown or a value has the wrong type; the key's path is named.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{source}: {refusal(error)}") from None


def refusal(error: ValidationError) -> str:
    """The first key or value that a model refused, by its path, and what it should be."""
    first = error.errors()[0]
    key = "".join(f"{part}." for part in first["loc"])[:-1]
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    value = first["input"]
    found = "" if isinstance(value, (dict, list)) else f"found {value!r}, "
    return (f"{key}: " if key else "") + found + _wanted(first)


def validate_options(model: type[ModelT], given: dict[str, Any]) -> ModelT:
    """Options of the command line, by their names with underscores, as a ``model``.

    Raises:
        ConfigError: A value is refused; the option and the value are named.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        option, value = str(first["loc"][0]).replace("_", "-"), first["input"]
        shown = f"{value:g}" if isinstance(value, float) else value
        raise ConfigError(f"--{option} {shown}: {_wanted(first)}") from None


def _wanted(error: Any) -> str:
    """What should stand in the place of a value that pydantic refused."""
    value = error["input"]
    if isinstance(value, float) and not math.isfinite(value):
        return "should be a finite number"
    said = str(error["msg"]).removeprefix("Value error, ")
    return said.replace("Input should", "should", 1)
