"""The terms of square patches: what the detail phases add to the colour of single rays."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from nerf_talker.losses import dissimilarity, gradient_pyramid
from nerf_talker.losses.perceptual import SMALLEST, WEIGHTS, PerceptualNetwork
from nerf_talker.train.config import DetailConfig
from nerf_talker.weights import locate

_log = logging.getLogger(__name__)


class DetailTerms:
    """Perceptual, gradient and structural terms, each where it has a weight."""

    def __init__(self, config: DetailConfig, device: torch.device) -> None:
        """The perceptual network is read from the model files; nothing is downloaded."""
        self.config = config
        self.network: PerceptualNetwork | None = None
        wanted = config.perceptual.weight > 0 and config.mouth_steps + config.joint_steps > 0
        if not wanted:
            return
        weights = locate(WEIGHTS)
        if weights is None:
            _log.warning(
                "%s is not here: details learn without the perceptual term; "
                "'nerf-talker models fetch %s' gets it",
                WEIGHTS,
                WEIGHTS,
            )
        else:
            self.network = PerceptualNetwork(weights, device)

    def terms(
        self, prediction: Tensor, target: Tensor, patches: tuple[int, int], step: int
    ) -> dict[str, tuple[Tensor, float]]:
        """Each term's mean and weight at ``step`` of the detail phases.

        Args:
            prediction: (P * S * S, 3) colours in [0, 1], patch after patch, row by row.
            target: The same of the true pictures.
            patches: P and S.
            step: Steps since the detail phases began.
        """
        count, size = patches
        shape = (count, size, size, 3)
        one, two = (value.reshape(shape).permute(0, 3, 1, 2) for value in (prediction, target))
        config, found = self.config, {}
        weight = config.perceptual.at(step)
        if weight and self.network is not None and size >= SMALLEST:
            found["perceptual"] = (self.network.dissimilarity(one, two).mean(), weight)
        weight = config.gradient.at(step)
        if weight and size > 1:
            found["gradient"] = (gradient_pyramid(one, two).mean(), weight)
        weight = config.ssim.at(step)
        if weight:
            found["ssim"] = (dissimilarity(one, two).mean(), weight)
        return found
