"""The operators on rays by nerfacc (Li et al. 2023), which computes on CUDA only.

Its traversal puts samples on a lattice of whole steps from the near plane and keeps those whose
centre lies in a set cell before the far plane: the sample set of :func:`nerf_talker.ops.march`, up
to rounding at cell borders (it adds step to step, in float32).
"""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.ops import Samples


def march(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
) -> Samples:
    """Sample rays on a regular lattice; arguments and result as :func:`nerf_talker.ops.march`."""
    import nerfacc

    _, samples, _ = nerfacc.traverse_grids(
        origins,
        directions,
        occupancy[None],
        box.reshape(1, 6),
        near_planes=near + jitter * step,
        far_planes=far,
        step_size=step,
    )
    return Samples(samples.ray_indices, samples.vals - step / 2, samples.packed_info)


def render_weights(
    density: Tensor, steps: Tensor, ray_indices: Tensor, ray_offsets: Tensor
) -> Tensor:
    """(M,) share of each sample in its pixel, as :func:`nerf_talker.ops.render_weights`."""
    import nerfacc

    # Only the lengths of the intervals count, not where they lie.
    weights, _, _ = nerfacc.render_weight_from_density(
        torch.zeros_like(steps), steps, density, packed_info=ray_offsets
    )
    return weights


def composite(
    density: Tensor, values: Tensor, steps: Tensor, ray_indices: Tensor, ray_offsets: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, C) weighted sums and (N,) opacity, as :func:`nerf_talker.ops.composite`."""
    import nerfacc

    weights = render_weights(density, steps, ray_indices, ray_offsets)
    rays = len(ray_offsets)
    summed = nerfacc.accumulate_along_rays(weights, values.float(), ray_indices, rays)
    return summed, nerfacc.accumulate_along_rays(weights, None, ray_indices, rays)[:, 0]
