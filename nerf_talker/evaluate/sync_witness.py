"""The lip-sync expert as an instrument of the evaluation.

Mouths are cut out of every row's pictures at a place that the true frame's eyes and nose decide
(:class:`nerf_talker.evaluate.crop_reader.MouthPlace`), made grey and small, and gathered while the
frames stream by: 3 kB a frame. Pictures told lags apart better than lip landmarks in the
measurements behind this choice, and need no face model.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.errors import WeightsError
from nerf_talker.evaluate.crop_reader import MouthPlace
from nerf_talker.evaluate.sync_curve import LEAST_FRAMES, sync_curve
from nerf_talker.evaluate.sync_report import SyncVerdict
from nerf_talker.evaluate.sync_store import cached_expert, load_expert
from nerf_talker.losses.sync_expert import SyncExpert, SyncExpertConfig
from nerf_talker.losses.sync_learning import LEAST_FRAMES as LEAST_TRAIN_FRAMES
from nerf_talker.losses.sync_learning import SyncClip, learn_expert
from nerf_talker.types import AudioFeatures, ByteArray


@dataclass
class SyncWitness:
    """Gathers mouths by row and judges them against the sound of the same frames.

    Attributes:
        place: Where the mouth is in each frame; None without an expert.
        expert: None when none can be had.
        reason: Why not.
    """

    place: MouthPlace | None
    expert: SyncExpert | None
    reason: str | None = None
    _mouths: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))

    def see(self, row: str, picture: ByteArray, frame: int) -> None:
        """Remember the mouth of an (H, W, 3) uint8 picture shown by ``row`` for clip ``frame``."""
        if self.place is not None:
            self._mouths[row].append(self.place.small(picture, frame).astype(np.float32))

    def verdict(self, dataset: Dataset, frames: range) -> SyncVerdict:
        """What it says of every row that was seen in all of ``frames``, given in order."""
        if self.expert is None:
            return SyncVerdict({}, self.reason)
        fps = dataset.manifest.fps
        return self.judge(sound_windows(dataset.audio, fps, frames, self.expert.config))

    def judge(self, sound: Tensor) -> SyncVerdict:
        """What it says of every row, seen in the T frames whose (T, W, D) ``sound`` is given."""
        if self.expert is None:
            return SyncVerdict({}, self.reason)
        if len(sound) < LEAST_FRAMES:
            reason = f"{len(sound)} frames, the sync expert needs {LEAST_FRAMES}"
            return SyncVerdict({}, reason)
        heard = self.expert.embed_sound(sound)
        found = {}
        for row, mouths in self._mouths.items():
            curve = sync_curve(self.expert.embed_mouths(torch.from_numpy(np.stack(mouths))), heard)
            if curve is not None:
                found[row] = curve
        return SyncVerdict(found)


def open_witness(
    dataset: Dataset,
    file: Path | None = None,
    quiet: bool = True,
    config: SyncExpertConfig | None = None,
) -> SyncWitness:
    """The dataset's own expert, learned on its training frames and kept in its cache.

    Args:
        dataset: The opened dataset.
        file: An expert to use instead, for example another dataset's.
        quiet: No progress bar.
        config: Sizes and seed of an expert to be learned.

    Raises:
        WeightsError: ``file`` cannot be used.
    """
    given = None if file is None else _given(file, dataset)
    train = dataset.manifest.range("train")
    known = [k for k in train if dataset.track.valid[k]]
    if not DatasetFiles(dataset.root).sound.is_file():
        return SyncWitness(None, None, "the dataset holds no sound")
    if not known:
        return SyncWitness(None, None, "no training frame shows a face")
    place = MouthPlace.learn(np.asarray(dataset.track.landmarks[:, :, :2], np.float32), known)
    if given is not None:
        return SyncWitness(place, given)
    if len(train) < LEAST_TRAIN_FRAMES:
        reason = f"{len(train)} training frames, the sync expert needs {LEAST_TRAIN_FRAMES}"
        return SyncWitness(None, None, reason)
    chosen = config or SyncExpertConfig()

    def learn() -> SyncExpert:
        return learn_expert([dataset_clip(dataset, train, place, chosen)], chosen, quiet)

    return SyncWitness(place, cached_expert(dataset, chosen, learn))


def dataset_clip(
    dataset: Dataset, frames: range, place: MouthPlace, config: SyncExpertConfig
) -> SyncClip:
    """Mouths and sound windows of consecutive frames of a dataset."""
    mouths = np.stack([place.small(dataset.frames[k], k).astype(np.float32) for k in frames])
    sound = sound_windows(dataset.audio, dataset.manifest.fps, frames, config)
    return SyncClip(torch.from_numpy(mouths), sound)


def sound_windows(
    audio: AudioFeatures, fps: float, frames: range, config: SyncExpertConfig
) -> Tensor:
    """(T, W, D) speech feature windows centred on the middle of each frame."""
    times = (np.array(frames) + 0.5) / fps
    return torch.from_numpy(audio.windows(times, config.sound_rows))


def _given(file: Path, dataset: Dataset) -> SyncExpert:
    expert = load_expert(file)
    wanted, here = len(expert.sound_mean), dataset.audio.values.shape[1]
    if wanted != here:
        raise WeightsError(
            f"{file}: listens to {wanted} speech features, the dataset holds {here}; give an "
            "expert learned with the same features"
        )
    return expert
