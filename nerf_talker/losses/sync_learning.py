"""Fitting the lip-sync expert on one clip or several, in seconds to minutes on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from nerf_talker.losses.sync_expert import LAGS, SyncExpert, SyncExpertConfig, lag_logits

FULL_FRAMES = 1500
"""Training frames from which on all steps are taken; fewer frames are learned by heart sooner."""

LEAST_FRAMES = 2 * LAGS + 16
"""Training frames below which nothing is learned."""

_LEAST_STEPS = 100
# Components that move less than this part of the first are noise; whitening would amplify it.
_FLOOR = 0.02


@dataclass(frozen=True)
class SyncClip:
    """Consecutive frames of one clip.

    Attributes:
        mouths: (F, P) numbers that describe the mouth.
        sound: (F, W, D) speech feature windows centred on the frames.
    """

    mouths: Tensor
    sound: Tensor

    def __len__(self) -> int:
        return len(self.mouths)


def learn_expert(
    clips: Sequence[SyncClip], config: SyncExpertConfig, quiet: bool = True
) -> SyncExpert:
    """Fit an expert; the same clips and configuration give the same expert on one machine.

    Args:
        clips: At least one, each of :data:`LEAST_FRAMES` or more, alike in P, W and D.
        config: Sizes and seed.
        quiet: No progress bar.

    Returns:
        The expert, frozen and in evaluation mode.
    """
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        expert = SyncExpert(config, clips[0].mouths.shape[1], clips[0].sound.shape[2])
        _fit_statistics(expert, clips)
        _fit_towers(expert, clips, generator, quiet)
    expert.zero_grad(set_to_none=True)
    return expert.eval().requires_grad_(False)


@torch.no_grad()
def _fit_statistics(expert: SyncExpert, clips: Sequence[SyncClip]) -> None:
    """Whitened principal components of the mouth, mean and deviation of the sound."""
    mouths = torch.cat([clip.mouths for clip in clips]).double()
    mean = mouths.mean(0)
    _, spread, basis = torch.linalg.svd(mouths - mean, full_matrices=False)
    kept = min(len(expert.mouth_basis), len(spread))
    deviation = spread[:kept] / len(mouths) ** 0.5
    floor = (_FLOOR * deviation[0]).clamp_min(1e-9)
    expert.mouth_mean.copy_(mean)
    expert.mouth_basis[:kept] = basis[:kept] / deviation.maximum(floor)[:, None]
    rows = torch.cat([clip.sound[:, clip.sound.shape[1] // 2] for clip in clips])
    expert.sound_mean.copy_(rows.mean(0))
    expert.sound_scale.copy_(rows.std(0, unbiased=False).clamp_min(1e-3))


def _fit_towers(
    expert: SyncExpert, clips: Sequence[SyncClip], generator: torch.Generator, quiet: bool
) -> None:
    config = expert.config
    with torch.no_grad():
        seen = [expert.mouth_windows(clip.mouths) for clip in clips]
        heard = [expert.sound_windows(clip.sound) for clip in clips]
    optimiser = torch.optim.AdamW(
        expert.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = _steps(sum(map(len, clips)), config.steps)
    length = min(config.block_frames, *(len(clip) - 2 * LAGS for clip in clips))
    target = torch.full((config.blocks * length,), LAGS)
    for step in tqdm(range(steps), "sync expert", disable=quiet):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.05 ** (step / steps)
        mouths, sound = _draw(seen, heard, length, config, generator)
        embedded = expert.sound_tower(sound.flatten(0, 1)).unflatten(0, sound.shape[:2])
        looked = expert.mouth_tower(mouths.flatten(0, 1)).unflatten(0, mouths.shape[:2])
        logits = lag_logits(looked, embedded, config.temperature)
        loss = functional.cross_entropy(logits.flatten(0, 1), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()


def _steps(frames: int, most: int) -> int:
    return max(min(_LEAST_STEPS, most), round(most * min(frames / FULL_FRAMES, 1)))


def _draw(
    seen: list[Tensor],
    heard: list[Tensor],
    length: int,
    config: SyncExpertConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Random stretches: (B, length, M, K) mouths and (B, length + 2 * LAGS, W, D) sound.

    Loudness and spectral tilt differ between recordings, and a rendered mouth is never quite the
    filmed one; noise keeps the expert from leaning on either.
    """
    starts = torch.tensor([max(len(windows) - length - 2 * LAGS + 1, 1) for windows in seen])
    picked = torch.randint(int(starts.sum()), (config.blocks,), generator=generator)
    mouths, sound = [], []
    for place in picked.tolist():
        clip = int((starts.cumsum(0) <= place).sum())
        first = place - int(starts[:clip].sum())
        mouths.append(seen[clip][first + LAGS : first + LAGS + length])
        sound.append(heard[clip][first : first + length + 2 * LAGS])
    faces, voices = torch.stack(mouths), torch.stack(sound)
    faces = faces + config.noise * torch.randn(faces.shape, generator=generator)
    tilt = torch.randn(config.blocks, 1, 1, voices.shape[-1], generator=generator)
    gain = torch.randn(config.blocks, 1, 1, 1, generator=generator)
    return faces, voices + config.noise * tilt + 2 * config.noise * gain
