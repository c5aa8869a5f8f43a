"""The lip-sync expert on two videos: one learned elsewhere, since they have no training frames.

It must have been learned on log-mel features, which the truth's sound is turned into, and at the
truth's frame rate: its windows count frames.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerf_talker.audio.logmel import EXTRACTOR, FILTERS, log_mel
from nerf_talker.errors import WeightsError
from nerf_talker.evaluate.crop_reader import MouthPlace
from nerf_talker.evaluate.film import Film
from nerf_talker.evaluate.sound import Sound
from nerf_talker.evaluate.sync_report import NO_VERDICT, SyncVerdict
from nerf_talker.evaluate.sync_store import load_expert
from nerf_talker.evaluate.sync_witness import SyncWitness, sound_windows
from nerf_talker.losses.sync_expert import SyncExpert


def open_pair_expert(file: Path | None) -> SyncExpert | None:
    """The expert in a file, None without one.

    Raises:
        WeightsError: The file cannot be used.
    """
    if file is None:
        return None
    expert = load_expert(file)
    wanted = len(expert.sound_mean)
    if wanted != FILTERS:
        raise WeightsError(
            f"{file}: listens to {wanted} speech features, the sound of two videos becomes "
            f"{FILTERS} log-mel energies; give an expert learned on a dataset with '{EXTRACTOR}'"
        )
    return expert


def pair_witness(expert: SyncExpert | None, truth: Film, sound: Sound | None) -> SyncWitness:
    """What watches both videos, whose mouths the truth's landmarks place.

    A frame of the truth without a face takes the place of the nearest one with a face.

    Args:
        expert: What judges.
        truth: Film of all true frames.
        sound: What is heard with them.
    """
    if expert is None:
        return SyncWitness(None, None, NO_VERDICT.missing)
    if sound is None:
        return SyncWitness(None, None, "there is no sound")
    points = truth.landmarks()[:, :, :2]
    known = np.flatnonzero(np.isfinite(points).all((1, 2)))
    if not len(known):
        return SyncWitness(None, None, "no face landmarks in the truth that would place the mouth")
    nearest = np.interp(np.arange(len(points)), known, np.arange(len(known))).round().astype(int)
    return SyncWitness(MouthPlace.learn(points[known[nearest]], known.tolist()), expert)


def pair_verdict(
    witness: SyncWitness, sound: Sound | None, frames: range, fps: float
) -> SyncVerdict:
    """What the witness says of both videos, seen in all of ``frames``, against their sound."""
    if witness.expert is None or sound is None:
        return SyncVerdict({}, witness.reason)
    audio = log_mel(sound.levels(), sound.rate)
    return witness.judge(sound_windows(audio, fps, frames, witness.expert.config))
