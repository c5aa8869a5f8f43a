"""The head field at many samples in one native call, forward and backward, on the processor.

A block of samples goes through the motion field, the lookup and all networks before the next one
starts, so no activation of a whole batch is ever written to memory (Müller et al. 2021, "Real-time
neural radiance caching": fully fused networks). Backward computes the activations again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.ops.backend import library_for
from nerf_talker.ops.checks import check_floating, check_index, check_shape
from nerf_talker.ops.cuda_fused import HeadLayers
from nerf_talker.ops.direction import SH_WIDTH, spherical_harmonics
from nerf_talker.ops.register import operators
from nerf_talker.ops.triplane import GridLayout

_MOTION_INPUTS = 21
_LAYERS = {"motion": (0, 3), "mouth_gate": (2,), "expression_gate": (2,), "density": (3,)} | {
    "colour": (2,)
}


@dataclass(frozen=True)
class FieldGrid:
    """Where the field lies and what it looks up.

    Attributes:
        table: ``layout.table_shape``.
        layout: Sizes of the levels.
        box: (2, 3) corners of the volume, metres.
        mouth: (2, 3) centre and radius of the motion, metres; None without one.
        largest_motion: Metres.
    """

    table: Tensor
    layout: GridLayout
    box: Tensor
    mouth: Tensor | None
    largest_motion: float


def can_fuse(points: Tensor, directions: Tensor, grid: FieldGrid, layers: HeadLayers) -> bool:
    """Whether :func:`fused_field` runs here: the processor's library, and layers as it knows them.

    It has no gradient to points and directions.
    """
    if torch.is_grad_enabled() and (points.requires_grad or directions.requires_grad):
        return False
    if min(grid.layout.resolutions, default=0) < 2:
        return False
    if any(len(getattr(layers, name)) not in counts for name, counts in _LAYERS.items()):
        return False
    library = library_for(points, directions, grid.table, layers.colour[0][0])
    return library is not None and library.name == "cpu"


def fused_field(
    points: Tensor,
    directions: Tensor,
    ray: Tensor,
    frame: Tensor,
    grid: FieldGrid,
    layers: HeadLayers,
    condition: tuple[Tensor, Tensor, Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Density, colour and mean gates of the head at M samples.

    Under autocast to bfloat16 what enters a product is rounded to it where the processor has such
    products, and sums stay float32; otherwise everything is computed in the dtype of the points.
    Results and gradients are the same bits for any number of threads and from run to run.

    Args:
        points: (M, 3) metres, canonical head space; no gradient.
        directions: (N, 3) unit view direction of each ray; no gradient.
        ray: (M,) int64 ray of each sample.
        frame: (M,) int64 row of the condition of each sample.
        grid: The table and where it lies.
        layers: The networks: three layers of motion or none, gates of two, density of three (its
            first output is the log density, the others enter the colour), colour of two.
        condition: (T, C) mouth code, (T, E) expression, (T, A) appearance code.

    Returns:
        (M,) 1/m, (M, 3) in [0, 1] and (M, 2) mean mouth and expression gate; differentiable in
        table, layers and condition.

    Raises:
        ValueError: A shape, dtype or device does not fit.
        BackendError: ``ray`` or ``frame`` names one that does not exist.
    """
    _check(points, directions, ray, frame, grid, condition[0])
    brain = _multiplies_bfloat16(points)
    with torch.autocast(points.device.type, enabled=False):
        weights, rows = fold_field(layers, *condition)
        for name, value in (("weights", weights), ("condition", rows), ("box", grid.box)):
            if value.dtype != points.dtype:
                raise ValueError(f"fused_field: {name} is {value.dtype}, needs {points.dtype}")
        keep = torch.is_grad_enabled() and any(
            value.requires_grad for value in (grid.table, weights, rows)
        )
        density, rgb, gates, *_ = operators().fused_field(
            *(points.detach(), grid.table, spherical_harmonics(directions.detach()), ray, frame),
            *(weights, rows, grid.box, grid.box if grid.mouth is None else grid.mouth),
            *(list(grid.layout.resolutions), grid.layout.entries, field_widths(layers)),
            *(grid.largest_motion, brain, keep),
        )
    return density, rgb, gates


def _check(
    points: Tensor, directions: Tensor, ray: Tensor, frame: Tensor, grid: FieldGrid, mouth: Tensor
) -> None:
    op, count = "fused_field", len(points)
    check_shape(op, "points", points, None, 3)
    check_shape(op, "directions", directions, None, 3)
    check_shape(op, "ray", ray, count)
    check_shape(op, "frame", frame, count)
    check_shape(op, "table", grid.table, *grid.layout.table_shape)
    check_index(op, points.device, ray=ray, frame=frame)
    check_floating(op, points=points, table=grid.table, box=grid.box, mouth=mouth)


def _multiplies_bfloat16(points: Tensor) -> bool:
    """Whether products are of bfloat16: autocast asks for it and the processor has them."""
    device = points.device.type
    if points.dtype != torch.float32 or not torch.is_autocast_enabled(device):
        return False
    library = library_for(points)
    wanted = torch.get_autocast_dtype(device) == torch.bfloat16
    return wanted and library is not None and library.multiplies_bfloat16


def field_widths(layers: HeadLayers) -> list[int]:
    """Widths as FieldCall of ``field_call.h`` lists them, from ``motion_hidden`` on."""
    return [
        len(layers.motion[0][1]) if layers.motion else 0,
        len(layers.mouth_gate[0][1]),
        len(layers.expression_gate[0][1]),
        len(layers.mouth_gate[1][1]),
        len(layers.expression_gate[1][1]),
        len(layers.density[0][1]),
        len(layers.colour[0][1]),
    ]


def fold_field(
    layers: HeadLayers, mouth: Tensor, expression: Tensor, appearance: Tensor
) -> tuple[Tensor, Tensor]:
    """All weights, then all biases, in one buffer; and (T, W) what each frame brings.

    Two linear layers without a ReLU between them are one; a constant input is a bias.
    """
    first, second, (out_weight, out_bias) = layers.density
    (seen_weight, seen_bias), colour = layers.colour
    geometry = out_weight.shape[0] - 1
    plain, view, look = seen_weight.split([geometry, SH_WIDTH, appearance.shape[1]], 1)
    pairs = [
        *(*layers.mouth_gate, *layers.expression_gate, first, second),
        (torch.cat([plain @ out_weight[1:], out_weight[:1]]), None),
        (torch.nn.functional.pad(view, (0, 0, 0, 1)), None),
        colour,
    ]
    seen = seen_bias + plain @ out_bias[1:] + appearance @ look.T
    rows = [mouth, expression, seen, out_bias[:1].expand(len(mouth), 1)]
    if layers.motion:
        (move, bias), *rest = layers.motion
        wave, code = move.split([_MOTION_INPUTS, mouth.shape[1]], 1)
        pairs = [(wave, None), *rest, *pairs]
        rows.insert(0, bias + mouth @ code.T)
    weights = [weight.reshape(-1) for weight, _ in pairs]
    biases = [bias for _, bias in pairs if bias is not None]
    return torch.cat(weights + biases), torch.cat(rows, 1)
