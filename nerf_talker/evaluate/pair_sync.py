"""Lip-sync judges of videos without a dataset: an expert learned elsewhere, and SyncNet.

The expert must have been learned on log-mel features, which the sound is turned into, and at the
videos' frame rate: its windows count frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nerf_talker.audio.logmel import EXTRACTOR, FILTERS, log_mel
from nerf_talker.errors import WeightsError
from nerf_talker.evaluate.crop_reader import MouthPlace
from nerf_talker.evaluate.film import Film
from nerf_talker.evaluate.lse import WITHOUT_MARKS, FacePlace, LseWitness, open_syncnet
from nerf_talker.evaluate.sound import Sound
from nerf_talker.evaluate.sync_report import NO_VERDICT, SyncVerdict
from nerf_talker.evaluate.sync_store import load_expert
from nerf_talker.evaluate.sync_witness import SyncWitness, sound_windows
from nerf_talker.losses.sync_expert import SyncExpert
from nerf_talker.losses.sync_net import SyncNet
from nerf_talker.types import FloatArray


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


@dataclass(frozen=True)
class PairJudges:
    """What can judge sync, as far as it was given.

    Attributes:
        expert: Our own expert.
        syncnet: The user's SyncNet.
        reason: Why there is no SyncNet.
    """

    expert: SyncExpert | None
    syncnet: SyncNet | None
    reason: str | None

    def witnesses(self, film: Film, sound: Sound | None) -> tuple[SyncWitness, LseWitness]:
        """What watches the pictures; ``film`` knows the landmarks that place mouth and face."""
        marks = known_landmarks(film)
        place = None if marks is None or self.syncnet is None else FacePlace.of(marks)
        net = None if place is None else self.syncnet
        lse = LseWitness(net, place, self.reason or WITHOUT_MARKS)
        return pair_witness(self.expert, marks, sound), lse


def open_judges(expert: Path | None, syncnet: Path | None, fps: float) -> PairJudges:
    """The judges in the user's files.

    Args:
        expert: A lip-sync expert of ours.
        syncnet: SyncNet's published checkpoint.
        fps: Frames per second that they will see.

    Raises:
        WeightsError: A file cannot be used.
    """
    return PairJudges(open_pair_expert(expert), *open_syncnet(syncnet, fps))


def known_landmarks(film: Film) -> FloatArray | None:
    """(T, 478, 2) landmarks of every frame, a frame without a face taking the nearest one's.

    None when no frame shows a face.
    """
    points = film.landmarks()[:, :, :2]
    known = np.flatnonzero(np.isfinite(points).all((1, 2)))
    if not len(known):
        return None
    nearest = np.interp(np.arange(len(points)), known, np.arange(len(known))).round().astype(int)
    return points[known[nearest]]


def pair_witness(
    expert: SyncExpert | None, marks: FloatArray | None, sound: Sound | None
) -> SyncWitness:
    """What watches the videos.

    Args:
        expert: What judges.
        marks: (T, 478, 2) landmarks that place the mouths, the truth's where there is one.
        sound: What is heard with them.
    """
    if expert is None:
        return SyncWitness(None, None, NO_VERDICT.missing)
    if sound is None:
        return SyncWitness(None, None, "there is no sound")
    if marks is None:
        return SyncWitness(None, None, "no face landmarks that would place the mouth")
    return SyncWitness(MouthPlace.learn(marks, list(range(len(marks)))), expert)


def pair_verdict(
    witness: SyncWitness, sound: Sound | None, frames: range, fps: float
) -> SyncVerdict:
    """What the witness says of both videos, seen in all of ``frames``, against their sound."""
    if witness.expert is None or sound is None:
        return SyncVerdict({}, witness.reason)
    audio = log_mel(sound.levels(), sound.rate)
    return witness.judge(sound_windows(audio, fps, frames, witness.expert.config))
