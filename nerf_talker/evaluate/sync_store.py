"""Lip-sync experts on disk: one safetensors file, and the one a dataset keeps in its cache.

The cached file's name carries a fingerprint of everything the expert was learned from, so that a
second evaluation takes it as it is and a changed dataset never meets an old one.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import ValidationError

from nerf_talker.atomic import atomic_path
from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.errors import WeightsError
from nerf_talker.losses.sync_expert import SyncExpert, SyncExpertConfig

VERSION = 1
"""Raise it whenever the same frames would give another expert."""

_KEY = "nerf_talker_sync_expert"
_KEPT = "sync-expert-*.safetensors"
_log = logging.getLogger(__name__)


def save_expert(expert: SyncExpert, path: Path) -> None:
    """Write an expert atomically; the file's folder must exist."""
    from safetensors.torch import save

    tensors = {name: value.contiguous() for name, value in expert.state_dict().items()}
    with atomic_path(path) as temporary:
        # Not save_file, whose files other users of a shared dataset may not read.
        temporary.write_bytes(save(tensors, {_KEY: expert.config.model_dump_json()}))


def load_expert(path: Path) -> SyncExpert:
    """Read an expert strictly; it comes frozen and in evaluation mode.

    Args:
        path: An expert's file, or the dataset folder in whose cache one lies.

    Raises:
        WeightsError: The file is missing, damaged, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    if Path(path).is_dir():
        path = next(iter(sorted(DatasetFiles(Path(path)).cache.glob(_KEPT))), path)
    if not Path(path).is_file():
        raise WeightsError(
            f"{path}: no lip-sync expert here; give the file that 'nerf-talker evaluate' left in "
            "a dataset's cache folder, or that dataset, or leave the option away"
        )
    try:
        with safe_open(str(path), "pt") as archive:
            config = (archive.metadata() or {}).get(_KEY)
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        if config is None:
            raise WeightsError(f"{path}: is no lip-sync expert of nerf-talker; give another file")
        expert = SyncExpert(
            SyncExpertConfig.model_validate_json(config),
            len(tensors["mouth_mean"]),
            len(tensors["sound_mean"]),
        )
        expert.load_state_dict(tensors, strict=True)
    except (SafetensorError, ValidationError, KeyError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: cannot be read as a lip-sync expert ({reason}); give another file"
        ) from None
    return expert.eval().requires_grad_(False)


def cached_expert(
    dataset: Dataset, config: SyncExpertConfig, learn: Callable[[], SyncExpert]
) -> SyncExpert:
    """The dataset's expert from its cache, else learned and kept there.

    A cache that cannot be read is made anew; one that cannot be written costs time, not the result.
    """
    folder = DatasetFiles(dataset.root).cache
    path = folder / f"sync-expert-{fingerprint(dataset, config)}.safetensors"
    if path.is_file():
        try:
            return load_expert(path)
        except WeightsError as error:
            _log.warning("%s; learning it anew", error)
    expert = learn()
    try:
        folder.mkdir(exist_ok=True)
        save_expert(expert, path)
        for old in folder.glob(_KEPT):
            if old != path:
                old.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s: the sync expert is not kept (%s)", folder, error.strerror)
    return expert


def fingerprint(dataset: Dataset, config: SyncExpertConfig) -> str:
    """A digest of the training frames' track and sound, the configuration and the code."""
    train = dataset.manifest.range("train")
    facts = [VERSION, dataset.manifest.identity(), config.model_dump(), [train.start, train.stop]]
    digest = hashlib.sha256(json.dumps([*facts, torch.__version__]).encode())
    digest.update(dataset.track.landmarks[train.start : train.stop].tobytes())
    digest.update(dataset.audio.values.tobytes())
    return digest.hexdigest()[:16]
