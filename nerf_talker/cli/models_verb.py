"""``nerf-talker models list|fetch``: the third-party model files the product uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from nerf_talker.weights import ModelFile


@dataclass(frozen=True)
class List:
    """Show every model file: name, size, licence, where it is or that it is missing."""


@dataclass(frozen=True)
class Fetch:
    """Get model files into the user cache, each checked by its sha256.

    Attributes:
        names: Files to get; all that can be fetched when none is named.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()


Command = (
    Annotated[List, tyro.conf.subcommand("list")] | Annotated[Fetch, tyro.conf.subcommand("fetch")]
)


def run(argv: list[str]) -> int:
    """Run the verb; 0 done, 1 when a named or fetchable file could not be had."""
    command = tyro.cli(
        Command,  # type: ignore[arg-type]
        args=argv,
        prog="nerf-talker models",
        description="Third-party model files, with source, sha256 and licence.",
    )
    if isinstance(command, Fetch):
        return fetch(command.names)
    for line in table():
        print(line)
    return 0


def table() -> list[str]:
    """The lines ``models list`` prints."""
    from nerf_talker.weights import REGISTRY

    lines = [f"{'file':26} {'size':>9}  {'licence':13} found"]
    for model in REGISTRY.values():
        size = f"{model.size / 1e6:.1f} MB"
        lines.append(f"{model.name:26} {size:>9}  {model.licence:13} {_where(model)}")
        lines.append(f"{'':38}for {model.purpose}; sha256 {model.sha256}")
        lines.append(f"{'':38}from {model.origin}")
    return lines


def _where(model: ModelFile) -> str:
    from nerf_talker.errors import WeightsError
    from nerf_talker.weights import locate

    try:
        path = locate(model.name)
    except WeightsError as error:
        return str(error)
    if path is not None:
        return str(path)
    cure = f"nerf-talker models fetch {model.name}" if model.fetchable else "see 'from' below"
    return f"missing ({cure})"


def fetch(names: Sequence[str]) -> int:
    """Fetch ``names`` and print one line for each; 0 when all are there, else 1."""
    from nerf_talker.errors import WeightsError
    from nerf_talker.weights import REGISTRY, resolve

    failed = 0
    for name in names or tuple(REGISTRY):
        try:
            print(f"{name}: {resolve(name)}")
        except WeightsError as error:
            unavoidable = not names and not REGISTRY[name].fetchable
            print(f"{'note' if unavoidable else 'error'}: {error}")
            failed += not unavoidable
    return 1 if failed else 0
