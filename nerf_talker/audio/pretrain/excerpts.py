"""Training examples: random excerpts of the corpus, recorded otherwise, with their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nerf_talker.audio.articulation_net import HOP, LEFT_SAMPLES, RIGHT_SAMPLES
from nerf_talker.audio.pretrain.augment import Recorder, at_tempo
from nerf_talker.audio.pretrain.speech import RATE, Group, Utterance
from nerf_talker.audio.pretrain.targets import row_targets

# One excerpt in so many is no speech at all: silence or noise alone.
EMPTY_SHARE = 0.04


@dataclass(frozen=True)
class Batch:
    """B excerpts of A rows.

    Attributes:
        samples: (B, S) with the context that the network needs.
        classes: (B, A).
        curves: (B, A, C).
    """

    samples: Tensor
    classes: Tensor
    curves: Tensor


class Excerpts:
    """Draws batches; every group is as likely as another, whatever its length."""

    def __init__(
        self, groups: Sequence[Group], seconds: float, chance: np.random.Generator
    ) -> None:
        self.rows = round(seconds * RATE / HOP)
        timed = [
            (group.source == "prompts", [part for part in group.utterances if len(part.starts)])
            for group in groups
        ]
        self.groups = [parts for _, parts in timed if parts]
        self.recorded = [recorded for recorded, parts in timed if parts]
        self.recorder = Recorder(chance)

    def draw(self, count: int, chance: np.random.Generator, recorded_share: float) -> Batch:
        """``count`` excerpts, that share of them from recorded speech if there is any."""
        drawn = [self._one(chance, recorded_share) for _ in range(count)]
        samples, classes, curves = (np.stack(parts) for parts in zip(*drawn, strict=True))
        return Batch(*map(torch.from_numpy, (samples, classes, curves)))

    def _one(
        self, chance: np.random.Generator, recorded_share: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        wanted = any(self.recorded) and chance.random() < recorded_share
        among = [k for k, real in enumerate(self.recorded) if real == wanted]
        parts = self.groups[among[chance.integers(len(among))]]
        tempo = chance.uniform(0.87, 1.15)
        # Sentences follow one another until the excerpt is full.
        pieces, letters, starts, length = [], [], [], 0
        needed = LEFT_SAMPLES + (self.rows - 1) * HOP + RIGHT_SAMPLES
        skipped = int(chance.integers(RATE))
        while length < needed + skipped:
            part = parts[chance.integers(len(parts))]
            sound = at_tempo((part.samples / 32768).astype(np.float32), tempo)
            letters += list(part.letters)
            starts.append(part.starts / tempo + length / RATE)
            pieces.append(sound)
            length += len(sound)
            gap = int(RATE * chance.exponential(0.15))
            pieces.append(np.zeros(gap, np.float32))
            letters.append("")
            starts.append(np.array([length / RATE], np.float32))
            length += gap
        sound = np.concatenate(pieces)[skipped : skipped + needed]
        times = (skipped + LEFT_SAMPLES + np.arange(self.rows) * HOP) / RATE
        if chance.random() < EMPTY_SHARE:
            sound, letters, starts = np.zeros_like(sound), [""], [np.zeros(1, np.float32)]
            if chance.random() < 0.7:
                level = 10 ** (chance.uniform(-80, -45) / 20)
                sound = (level * chance.standard_normal(needed)).astype(np.float32)
        else:
            sound = self.recorder.record(sound, chance)
        classes, curves = row_targets(tuple(letters), np.concatenate(starts), length / RATE, times)
        return sound, classes, curves


def whole(utterance: Utterance) -> Tensor:
    """(1, S) samples of an utterance with silence as context: row k is centred on k / 50 s."""
    samples = torch.from_numpy(utterance.samples.astype(np.float32) / 32768)
    return torch.nn.functional.pad(samples, (LEFT_SAMPLES, RIGHT_SAMPLES))[None]
