"""Two rounds: synthesised speech first; then also recorded speech, aligned by the first round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from nerf_talker.audio.articulation_net import LOWEST_PEAK, Articulation, ArticulationNet
from nerf_talker.audio.phonetics import CURVES
from nerf_talker.audio.pretrain.alignment import align
from nerf_talker.audio.pretrain.config import LearnConfig
from nerf_talker.audio.pretrain.excerpts import Batch, Excerpts, whole
from nerf_talker.audio.pretrain.speech import Group, Utterance

ROWS_PER_SECOND = 50
# The lips matter most for a face.
CURVE_WEIGHTS = {"opening": 6.0, "rounding": 3.0, "bilabial": 6.0, "labiodental": 3.0, "jaw": 3.0}
# Recordings whose transcript fits worse than this share of them are left out.
DROPPED = 0.1


def learn(
    net: ArticulationNet,
    groups: Sequence[Group],
    config: LearnConfig,
    steps: int,
    recorded_share: float,
    quiet: bool = False,
) -> list[float]:
    """One round of training.

    Args:
        net: Trained in place.
        groups: Speech with times.
        config: Batch, learning rate, seed.
        steps: Optimiser steps; the learning rate falls to zero along them.
        recorded_share: Share of recorded excerpts.
        quiet: No progress bar.

    Returns:
        The loss at every step.
    """
    chance = np.random.default_rng([config.seed, steps])
    excerpts = Excerpts(groups, config.seconds, chance)
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=steps, pct_start=0.1
    )
    losses = []
    net.train()
    bar = tqdm(range(steps), desc="encoder", disable=quiet, unit="step")
    for _ in bar:
        batch = excerpts.draw(config.batch, chance, recorded_share)
        peak = torch.full((config.batch,), LOWEST_PEAK)
        with torch.autocast("cpu", torch.bfloat16):
            heard, _ = net(batch.samples, peak)
        loss = objective(heard, batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if len(losses) % 50 == 0:
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}")
    net.eval()
    return losses


def objective(heard: Articulation, batch: Batch) -> Tensor:
    """Cross entropy of the sounds plus weighted squared error of the curves."""
    logits = heard.logits.float().flatten(0, 1)
    sounds = F.cross_entropy(logits, batch.classes.flatten(), label_smoothing=0.05)
    weights = torch.tensor([CURVE_WEIGHTS.get(name, 1.0) for name in CURVES])
    apart = (heard.curves.float() - batch.curves) ** 2
    return sounds + (apart.mean((0, 1)) * weights).sum()


@torch.no_grad()
def hear(net: ArticulationNet, utterance: Utterance) -> Articulation:
    """What the network makes of one utterance: rows at k / 50 s."""
    heard, _ = net(whole(utterance), torch.tensor([LOWEST_PEAK]))
    return Articulation(heard.logits[0], heard.curves[0], heard.level[0], heard.hidden[0])


def aligned(net: ArticulationNet, group: Group) -> Group:
    """The recorded group with phoneme times, without the worst fits."""
    found: list[tuple[float, Utterance]] = []
    for utterance in group.utterances:
        posteriors = hear(net, utterance).logits.log_softmax(-1).numpy()
        fit = align(posteriors, utterance.letters)
        if fit is None:
            continue
        letters, rows, score = fit
        # A sound begins half a row before the first row that heard it.
        starts = np.maximum((rows - 0.5) / ROWS_PER_SECOND, 0).astype(np.float32)
        found.append((score, replace(utterance, letters=letters, starts=starts)))
    found.sort(key=lambda pair: -pair[0])
    kept = found[: round(len(found) * (1 - DROPPED))]
    return replace(group, utterances=tuple(utterance for _, utterance in kept))
