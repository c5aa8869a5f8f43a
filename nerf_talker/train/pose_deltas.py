"""Refining the poses of the training frames, and the focal length, by the pixels they explain.

Six numbers a frame, learned through the rays' gradient while the field rests (bundle adjustment as
in BARF, Lin et al. 2021, at its end: the poses are nearly right already). Their mean over the
frames is kept at zero, or head and poses could drift together, away from the poses that frames
outside the training range still have. One number more, where it is asked for, is the logarithm of
a factor on the focal length that all frames share; the talker's camera follows it, and the avatar
keeps that camera. A pull towards the given focal length holds it within :data:`LARGEST_ZOOM`, since
a larger head at a longer focal length looks nearly alike.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp

import torch
from torch import Tensor, nn

from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.losses import charbonnier
from nerf_talker.render.renderer import render_rays
from nerf_talker.render.talker import Talker
from nerf_talker.train.config import PoseConfig
from nerf_talker.train.processes import Processes
from nerf_talker.train.sampler import PixelBatch
from nerf_talker.types import Camera, Driving

UNIT = 0.12
"""Metres that one learned unit of translation stands for: about a head's radius."""

LARGEST_ZOOM = 0.05
"""What the logarithm of the focal length may move: there the pull undoes a whole step of Adam."""

_SKEW = torch.tensor(
    [
        [[0.0, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
    ]
)


def moved(poses: Tensor, twists: Tensor) -> Tensor:
    """(T, 4, 4) camera-to-head poses after a small motion of the head in its own space.

    Args:
        poses: (T, 4, 4), metres.
        twists: (T, 6) rotation in radians, then translation in units of :data:`UNIT` metres.
    """
    cross = torch.einsum("ti,ijk->tjk", twists[:, :3], _SKEW.to(twists))
    top = torch.cat([cross, UNIT * twists[:, 3:, None]], -1)
    generators = torch.cat([top, torch.zeros_like(top[:, :1])], 1)
    return torch.matrix_exp(generators) @ poses


class PoseDeltas(nn.Module):
    """(F, 6) twists of the training frames, of which ``valid`` take part, and one zoom for all."""

    valid: Tensor

    def __init__(self, first: int, valid: Tensor, focal: bool = False) -> None:
        """Deltas that change nothing yet.

        Args:
            first: The first training frame.
            valid: (F,) bool of the range's frames.
            focal: Whether the logarithm of a factor on the focal length learns too.
        """
        super().__init__()
        self.first = first
        self.twists = nn.Parameter(torch.zeros(len(valid), 6))
        self.focal = nn.Parameter(torch.zeros(())) if focal else None
        self.register_buffer("valid", valid)

    def refined(self, poses: Tensor, frames: Tensor) -> Tensor:
        """(T, 4, 4) poses of (T,) training frames, moved by what was learned."""
        return moved(poses, self.twists[frames - self.first])

    @torch.no_grad()
    def centre(self) -> None:
        """Subtract the mean over the valid frames."""
        self.twists[self.valid] -= self.twists[self.valid].mean(0)


class PoseRefinement:
    """Learns :class:`PoseDeltas` with Adam, a few rays at a time."""

    def __init__(self, config: PoseConfig, deltas: PoseDeltas, tracked: Camera) -> None:
        """Start from the tracked poses and camera."""
        self.config, self.deltas, self.tracked = config, deltas, tracked
        self.optimiser = torch.optim.Adam(
            deltas.parameters(), config.learning_rate, betas=(0.9, 0.99), eps=1e-15
        )

    def camera(self) -> Camera:
        """The tracked camera with the focal length that was learned."""
        focal = self.deltas.focal
        if focal is None:
            return self.tracked
        return replace(self.tracked, focal=self.tracked.focal * exp(float(focal.detach())))

    def due(self, step: int) -> bool:
        """Whether the poses learn after ``step``."""
        return step >= self.config.start and step % self.config.interval == 0

    def learn(
        self,
        talker: Talker,
        driving: Driving,
        batch: PixelBatch,
        behind: Tensor,
        processes: Processes,
        rate: float,
    ) -> None:
        """One step of the poses; the field rests. A gradient that is not finite is skipped.

        Args:
            talker: Whose head explains the pixels; its camera follows.
            driving: The batch's frames with their tracked poses.
            batch: N pixels.
            behind: (N, 3) what shows behind the head.
            processes: Over which the gradient is averaged.
            rate: Factor on the learning rate.
        """
        poses = self.deltas.refined(driving.camera_to_head, batch.frames)
        bounds = talker.occupancy.bounds()
        focal = self.deltas.focal
        zoom = None if focal is None else focal.exp()
        rays = pixel_rays(self.tracked, poses, batch.pixels, batch.frame, bounds, zoom)
        with torch.no_grad():
            condition = talker.condition(driving)
        out = render_rays(talker, rays, condition, torch.full_like(rays.near, 0.5))
        target = batch.rgb * batch.alpha[:, None] + behind * (1 - batch.alpha[:, None])
        error = charbonnier(out.rgb + behind * (1 - out.opacity[:, None]), target).mean()
        learned = list(self.deltas.parameters())
        gradients = torch.autograd.grad(error, learned)
        processes.average(gradients)
        if all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            for value, gradient in zip(learned, gradients, strict=True):
                value.grad = gradient
            self._step(self.config.learning_rate * rate)
            talker.camera = self.camera()

    @torch.no_grad()
    def _step(self, rate: float) -> None:
        """Along the gradients, of which Adam makes steps of at most ``rate``."""
        focal = self.deltas.focal
        if focal is not None:
            focal.mul_(max(1 - rate / LARGEST_ZOOM, 0.0))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        if focal is not None:  # for rates so large that the pull alone does not hold it
            focal.clamp_(-LARGEST_ZOOM, LARGEST_ZOOM)
        self.deltas.centre()
