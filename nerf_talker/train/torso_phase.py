"""Phase: the torso layer learns the pixels that the head does not cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from nerf_talker.data.dataset import Dataset
from nerf_talker.losses import charbonnier
from nerf_talker.render.talker import Talker
from nerf_talker.train.config import TorsoPhaseConfig

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
VAL_FRAMES = 24


@dataclass(frozen=True)
class TorsoPixels:
    """P pixels of true frames: frame (P,), rows and columns (P, 2).

    ``target`` (P, 3) is the true colour, ``free`` (P,) how little the head covers, [0, 1].
    """

    frame: npt.NDArray[np.int64]
    pixels: Tensor
    target: Tensor
    free: Tensor


def fit_torso(
    talker: Talker,
    dataset: Dataset,
    config: TorsoPhaseConfig,
    generator: torch.Generator,
    quiet: bool,
) -> float:
    """Fit the plate's colour and the displacement net by Adam on random pixels of training frames.

    A pixel counts by how much of it the head leaves free, so the plate under the head keeps what
    preprocessing filled in. The plate's opacity may change along its edge alone: free to learn
    everywhere, it would print a moving background onto the body. How far the displacement is
    believed is picked on the validation range, since shoulders that moved with the head once need
    not do so again.

    Returns:
        The mean absolute error on the validation range, [0, 1] colour.
    """
    train = np.asarray(dataset.manifest.range("train"))
    torso = talker.torso
    optimiser = torch.optim.AdamW(
        [
            {"params": [torso.plate], "lr": config.plate_learning_rate, "weight_decay": 0.0},
            {"params": torso.net.parameters(), "lr": config.net_learning_rate},
        ],
        betas=(0.9, 0.99),
        weight_decay=1e-2,
    )
    opacity = torso.plate.detach()[:, 3:]
    edge = F.max_pool2d(((opacity > 0.02) & (opacity < 0.98)).float(), 5, 1, 2)[:, 0]
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.1 ** (1 / config.steps))
    for _ in tqdm(range(config.steps), "torso", disable=quiet):
        chosen = torch.randint(len(train), (config.frames,), generator=generator).numpy()
        batch = _draw(dataset, train[chosen], config.pixels, generator)
        optimiser.zero_grad(set_to_none=True)
        _errors(talker, dataset, batch).mean().backward()
        assert torso.plate.grad is not None
        torso.plate.grad[:, 3] *= edge
        optimiser.step()
        schedule.step()
    return _pick_strength(talker, dataset, config, generator)


def _draw(
    dataset: Dataset, frames: npt.NDArray[np.int64], count: int, generator: torch.Generator
) -> TorsoPixels:
    size = dataset.manifest.size
    frame = frames.repeat(-(-count // len(frames)))
    place = torch.rand(len(frame), 2, generator=generator)
    pixels = (place * size).long().clamp(max=size - 1)
    at = (frame, pixels[:, 0].numpy(), pixels[:, 1].numpy())
    return TorsoPixels(
        frame,
        pixels,
        torch.from_numpy(dataset.frames[at]).float() / 255,
        1 - torch.from_numpy(dataset.head_alpha[at]).float() / 255,
    )


def _errors(talker: Talker, dataset: Dataset, batch: TorsoPixels) -> Tensor:
    """(P,) colour error of torso over background, weighted by how free of head a pixel is."""
    pose = torch.from_numpy(dataset.track.camera_to_head[batch.frame])
    motion = torch.from_numpy(dataset.torso_motion[batch.frame])
    bend = torch.from_numpy(dataset.torso_bend[batch.frame])
    predicted = talker.behind_head(batch.pixels, pose, motion, bend)
    # Squared: a pixel the head half covers shows the head's colour, not the torso's.
    return charbonnier(predicted, batch.target).mean(-1) * batch.free**2


@torch.no_grad()
def _pick_strength(
    talker: Talker, dataset: Dataset, config: TorsoPhaseConfig, generator: torch.Generator
) -> float:
    val = dataset.manifest.range("val")
    frames = np.unique(np.linspace(val.start, val.stop - 1, VAL_FRAMES).astype(np.int64))
    batch = _draw(dataset, frames, 8 * config.pixels, generator)
    errors = []
    for strength in STRENGTHS:
        talker.torso.strength.fill_(strength)
        errors.append(float(_errors(talker, dataset, batch).sum() / (batch.free**2).sum()))
    best = int(np.argmin(errors))
    talker.torso.strength.fill_(STRENGTHS[best])
    return errors[best]
