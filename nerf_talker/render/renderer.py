"""Rendering rays of the head field."""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.field.folding import FoldedField
from nerf_talker.field.head import HeadCondition
from nerf_talker.render.budget import SampleBudget
from nerf_talker.render.talker import Talker
from nerf_talker.types import RayBundle, RaySamples, RenderOutput


def sample_rays(
    talker: Talker, rays: RayBundle, jitter: Tensor, budget: SampleBudget | None = None
) -> RaySamples:
    """March ``rays`` through the talker's occupied cells; ``jitter`` (N,) in [0, 1)."""
    step = talker.config.step
    grid = talker.occupancy
    if budget is not None:
        return budget.sample(rays, grid.cells, grid.box, step, jitter)
    found = talker.rays.march(
        rays.origins, rays.directions, rays.near, rays.far, grid.cells, grid.box, step, jitter
    )
    return RaySamples(found.ray_indices, found.starts, found.starts + step, found.ray_offsets)


def render_rays(
    talker: Talker,
    rays: RayBundle,
    condition: HeadCondition,
    jitter: Tensor,
    observe: bool = False,
    budget: SampleBudget | None = None,
    keep: bool = False,
    folded: FoldedField | None = None,
) -> RenderOutput:
    """Render N rays.

    Args:
        talker: Whose head.
        rays: Rays in canonical head space; ``rays.frame`` indexes the rows of ``condition``.
        condition: T driven frames.
        jitter: (N,) offset of the sample lattice in steps.
        observe: Let the occupancy grid remember the rendering weights (training).
        keep: Keep the samples and their weights, for losses along rays.
        budget: Sizes the samples without waiting for the device; None counts them exactly.
        folded: The head in the one frame that all rays show, evaluated instead of ``talker.head``;
            then ``condition`` is not looked at.

    Returns:
        Premultiplied colour, opacity, depth and gates; differentiable.
    """
    samples = sample_rays(talker, rays, jitter, budget)
    points = samples.positions(rays)
    ray = samples.ray_indices
    field = (
        talker.head(points, rays.directions, condition, ray, rays.frame[ray])
        if folded is None
        else folded(points, rays.directions, ray)
    )
    steps = samples.ends - samples.starts
    along = None
    if observe or keep:
        with torch.set_grad_enabled(keep and torch.is_grad_enabled()):
            weights = talker.rays.render_weights(
                field.density, steps, samples.ray_indices, samples.ray_offsets
            )
        along = (samples, weights) if keep else None
        if observe:
            talker.occupancy.observe(points.detach(), weights.detach())
    middle = (samples.starts + samples.ends)[:, None] / 2
    values = torch.cat([field.rgb, middle, field.features], -1)
    summed, opacity = talker.rays.composite(
        field.density, values, steps, samples.ray_indices, samples.ray_offsets
    )
    return RenderOutput(summed[:, :3], opacity, summed[:, 3], summed[:, 4:], len(samples), along)
