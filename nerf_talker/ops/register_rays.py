"""Kernels, fake kernels and gradients of the operators on rays; see ``register.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nerf_talker.ops.abi import NativeLibrary

SCAN_SHARE = 128
"""Rays that one thread of the scan sums; SCAN_SHARE of rays.cu."""

BLOCK = 4
"""Cells along an edge of a block of the coarse occupancy; Occupancy::BLOCK of march.h."""


def _ray_box(
    library: NativeLibrary, origins: Tensor, directions: Tensor, box: Tensor
) -> tuple[Tensor, Tensor]:
    origins, directions, box = origins.contiguous(), directions.contiguous(), box.contiguous()
    near, far = _ray_box_fake(origins, directions, box)
    library.call("ray_box", origins.dtype, origins, directions, box, len(origins), near, far)
    return near, far


def _ray_box_fake(origins: Tensor, directions: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    return origins.new_empty(origins.shape[0]), origins.new_empty(origins.shape[0])


def _march(
    library: NativeLibrary,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    cells = occupancy.contiguous()
    blocks = coarse_occupancy(cells)
    given = [value.contiguous() for value in (origins, directions, near, far, jitter)]
    box = box.contiguous()
    sizes = (cells.shape[0], step, len(origins))
    counts = torch.empty(len(origins), dtype=torch.int64, device=origins.device)
    dtype = origins.dtype
    library.call("march_count", dtype, *given, cells, blocks, box, *sizes, counts)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    total = int(counts.sum())
    ray_indices = torch.empty(total, dtype=torch.int64, device=origins.device)
    starts = near.new_empty(total)
    found = (offsets, ray_indices, starts)
    library.call("march_write", dtype, *given, cells, blocks, box, *sizes, *found)
    return ray_indices, starts, offsets


def _march_packed(
    library: NativeLibrary,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
    capacity: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    cells = occupancy.contiguous()
    given = [value.contiguous() for value in (origins, directions, near, far, jitter)]
    grid = (cells, coarse_occupancy(cells), box.contiguous(), cells.shape[0], step)
    rays, device = len(origins), origins.device
    scratch = torch.empty(rays + -(-rays // SCAN_SHARE), dtype=torch.int64, device=device)
    # What lies behind the last sample belongs to no ray's span; its length is held to zero.
    ray_indices = torch.full((capacity,), max(rays - 1, 0), dtype=torch.int64, device=device)
    offsets = torch.empty(rays, 2, dtype=torch.int64, device=device)
    totals = torch.empty(3, dtype=torch.int64, device=device)
    found = (offsets, ray_indices, near.new_zeros(capacity), totals)
    sizes = (rays, capacity)
    library.call("march_packed", near.dtype, *given, *grid, *sizes, scratch, *found)
    return ray_indices, found[2], offsets, totals


def _march_packed_fake(origins: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rays, capacity = origins.shape[0], rest[-1]
    whole = [
        origins.new_empty(shape, dtype=torch.int64) for shape in ((capacity,), (rays, 2), (3,))
    ]
    return whole[0], origins.new_empty(capacity), whole[1], whole[2]


def endless_text(rays: int) -> str:
    """What is wrong with rays that no march can walk."""
    return f"{rays} rays that hit have no finite far, or far more steps than memory holds"


def coarse_occupancy(cells: Tensor) -> Tensor:
    """(ceil(R / BLOCK)^3) bool: whether any cell of a block is set; of (R, R, R) cells."""
    resolution = cells.shape[0]
    rough = -(-resolution // BLOCK)
    if rough * BLOCK != resolution:
        padded = cells.new_zeros((rough * BLOCK,) * 3)
        padded[:resolution, :resolution, :resolution] = cells
        cells = padded
    # Eight cells at a time would need a multiple of eight; four fit one int32.
    lines = cells.contiguous().view(torch.int32).reshape(rough, BLOCK, rough, BLOCK, rough)
    return (lines != 0).any(3).any(1).contiguous()


def _march_fake(origins: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    total = torch.library.get_ctx().new_dynamic_size()
    ray_indices = origins.new_empty(total, dtype=torch.int64)
    offsets = origins.new_empty((origins.shape[0], 2), dtype=torch.int64)
    return ray_indices, origins.new_empty(total), offsets


def _weights(library: NativeLibrary, density: Tensor, steps: Tensor, offsets: Tensor) -> Tensor:
    density, steps, offsets = density.contiguous(), steps.contiguous(), offsets.contiguous()
    weights = torch.zeros_like(density)
    sizes = (len(offsets), len(density))
    library.call("render_weights", density.dtype, density, steps, offsets, *sizes, weights)
    return weights


def _weights_fake(density: Tensor, steps: Tensor, offsets: Tensor) -> Tensor:
    return density.new_empty(density.shape)


def _weights_backward(
    library: NativeLibrary, gradient: Tensor, density: Tensor, steps: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    given = [value.contiguous() for value in (gradient, density, steps, offsets)]
    found = torch.zeros_like(given[1]), torch.zeros_like(given[2])
    sizes = (len(offsets), len(density))
    library.call("render_weights_backward", density.dtype, *given, *sizes, *found)
    return found


def _weights_backward_fake(
    gradient: Tensor, density: Tensor, steps: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    return density.new_empty(density.shape), steps.new_empty(steps.shape)


def _composite(
    library: NativeLibrary, density: Tensor, values: Tensor, steps: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    given = [value.contiguous() for value in (density, values, steps, offsets)]
    found = _composite_fake(density, values, steps, offsets)
    sizes = (len(offsets), len(density), values.shape[1])
    library.call("composite", density.dtype, *given, *sizes, *found)
    return found


def _composite_fake(
    density: Tensor, values: Tensor, steps: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    rays = offsets.shape[0]
    return density.new_empty(rays, values.shape[1]), density.new_empty(rays)


def _composite_backward(
    library: NativeLibrary,
    density: Tensor,
    values: Tensor,
    steps: Tensor,
    offsets: Tensor,
    summed: Tensor,
    opacity: Tensor,
    d_summed: Tensor,
    d_opacity: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    given = [value.contiguous() for value in (density, values, steps, offsets)]
    after = [value.contiguous() for value in (summed, opacity, d_summed, d_opacity)]
    # A sample that belongs to no ray has no gradient.
    found = tuple(torch.zeros_like(value) for value in given[:3])
    sizes = (len(offsets), len(density), values.shape[1])
    library.call("composite_backward", density.dtype, *given, *sizes, *after, *found)
    return found  # type: ignore[return-value]


def _composite_backward_fake(
    density: Tensor, values: Tensor, steps: Tensor, *rest: Tensor
) -> tuple[Tensor, ...]:
    return tuple(value.new_empty(value.shape) for value in (density, values, steps))


def _save_weights(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _weights_gradient(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
    backward = torch.ops.nerf_talker.render_weights_backward
    return *backward(gradient, *ctx.saved_tensors), None


def _save_composite(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output)


def _composite_gradient(ctx: Any, d_summed: Tensor, d_opacity: Tensor) -> tuple[Any, ...]:
    backward = torch.ops.nerf_talker.composite_backward
    return *backward(*ctx.saved_tensors, d_summed, d_opacity), None


OPERATORS: tuple[tuple[str, Callable[..., Any], Callable[..., Any]], ...] = (
    (
        "ray_box(Tensor origins, Tensor directions, Tensor box) -> (Tensor, Tensor)",
        _ray_box,
        _ray_box_fake,
    ),
    (
        "march(Tensor origins, Tensor directions, Tensor near, Tensor far, Tensor occupancy,"
        " Tensor box, float step, Tensor jitter) -> (Tensor, Tensor, Tensor)",
        _march,
        _march_fake,
    ),
    (
        "march_packed(Tensor origins, Tensor directions, Tensor near, Tensor far,"
        " Tensor occupancy, Tensor box, float step, Tensor jitter, int capacity)"
        " -> (Tensor, Tensor, Tensor, Tensor)",
        _march_packed,
        _march_packed_fake,
    ),
    (
        "render_weights(Tensor density, Tensor steps, Tensor offsets) -> Tensor",
        _weights,
        _weights_fake,
    ),
    (
        "render_weights_backward(Tensor gradient, Tensor density, Tensor steps, Tensor offsets)"
        " -> (Tensor, Tensor)",
        _weights_backward,
        _weights_backward_fake,
    ),
    (
        "composite(Tensor density, Tensor values, Tensor steps, Tensor offsets)"
        " -> (Tensor, Tensor)",
        _composite,
        _composite_fake,
    ),
    (
        "composite_backward(Tensor density, Tensor values, Tensor steps, Tensor offsets,"
        " Tensor summed, Tensor opacity, Tensor d_summed, Tensor d_opacity)"
        " -> (Tensor, Tensor, Tensor)",
        _composite_backward,
        _composite_backward_fake,
    ),
)

GRADIENTS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "render_weights": (_save_weights, _weights_gradient),
    "composite": (_save_composite, _composite_gradient),
}
