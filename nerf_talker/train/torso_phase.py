"""Phase: the torso layer learns the pixels that the head does not cover."""

from __future__ import annotations

import numpy as np
import torch
from tqdm import tqdm

from nerf_talker.data.dataset import Dataset
from nerf_talker.losses import charbonnier
from nerf_talker.render.talker import Talker
from nerf_talker.train.config import TorsoPhaseConfig


def fit_torso(
    talker: Talker,
    dataset: Dataset,
    config: TorsoPhaseConfig,
    generator: torch.Generator,
    quiet: bool,
) -> float:
    """Fit plate and displacement net by Adam on random pixels of training frames.

    A pixel counts by how much of it the head leaves free, so the plate under the head keeps what
    preprocessing filled in.

    Returns:
        The mean absolute error of the last tenth of the steps, [0, 1] colour.
    """
    train = np.asarray(dataset.manifest.range("train"))
    size = dataset.manifest.size
    torso = talker.torso
    optimiser = torch.optim.Adam(
        [
            {"params": [torso.plate], "lr": config.learning_rate},
            {"params": torso.net.parameters(), "lr": config.learning_rate},
        ],
        betas=(0.9, 0.99),
    )
    poses = torch.from_numpy(dataset.track.camera_to_head)
    motions = torch.from_numpy(dataset.torso_motion)
    errors: list[float] = []
    for step in tqdm(range(config.steps), "torso", disable=quiet):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.1 ** (step / config.steps)
        chosen = torch.randint(len(train), (config.frames,), generator=generator).numpy()
        frame = train[chosen].repeat(config.pixels // config.frames)
        place = torch.rand(len(frame), 2, generator=generator)
        pixels = (place * size).long().clamp(max=size - 1).numpy()
        at = (frame, pixels[:, 0], pixels[:, 1])
        target = torch.from_numpy(dataset.frames[at]).float() / 255
        free = 1 - torch.from_numpy(dataset.head_alpha[at]).float() / 255
        points = (torch.from_numpy(pixels).flip(-1) + 0.5) / size
        colour, alpha = torso(points, poses[frame], motions[frame])
        behind = talker.background[pixels[:, 0], pixels[:, 1]]
        predicted = colour * alpha[:, None] + behind * (1 - alpha[:, None])
        # Squared: a pixel the head half covers shows the head's colour, not the torso's.
        error = charbonnier(predicted, target).mean(-1) * free**2
        optimiser.zero_grad(set_to_none=True)
        error.mean().backward()
        optimiser.step()
        errors.append(float(error.detach().sum() / (free**2).sum().clamp_min(1)))
    return float(np.mean(errors[-max(config.steps // 10, 1) :])) if errors else float("nan")
