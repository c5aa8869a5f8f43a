"""The head field of one frame, with everything that depends on the frame alone folded away.

A code that is concatenated or gated, a landmark's features, a scale and shift of FiLM and the
appearance meet the samples only through linear layers. Folded into their weights once per frame
they cost nothing per sample, whatever they cost to compute; results are the same but for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.field.head import HeadCondition, HeadField, field_output
from nerf_talker.field.networks import (
    SAMPLE_BLOCK,
    folded,
    layer_dtype,
    linear_layers,
    padded_samples,
    run_layers,
)
from nerf_talker.ops import spherical_harmonics
from nerf_talker.ops.cuda_fused import Layers
from nerf_talker.ops.direction import SH_WIDTH
from nerf_talker.types import FieldOutput


@dataclass(frozen=True)
class FoldedField:
    """A head in one frame; made by :func:`fold_frame`.

    Attributes:
        head: The field, for what no frame changes: encoding, gates, window of the motion.
        motion: Layers that move places, or None.
        density: Layers from the encoding and the gates to the log density and, behind it, what
            the colour network's hidden layer adds up.
        view: (H, 16) from the view's harmonics to that hidden layer.
        colour: The layers behind it.
    """

    head: HeadField
    motion: Layers | None
    density: Layers
    view: Tensor
    colour: Layers

    def __call__(self, points: Tensor, directions: Tensor, ray: Tensor) -> FieldOutput:
        """Evaluate the field.

        Args:
            points: (M, 3) metres, canonical head space.
            directions: (N, 3) unit view direction of each ray.
            ray: (M,) ray of each point.

        Returns:
            What the head gives at M points in this frame.
        """
        count = len(points)
        points, ray = padded_samples(points, ray)
        view = (spherical_harmonics(directions) @ self.view.T).to(layer_dtype(points))
        # A processor's caches hold one block's activations; a GPU wants all samples at once.
        size = SAMPLE_BLOCK if points.device.type == "cpu" else max(len(points), 1)
        blocks = zip(points.split(size), ray.split(size), strict=True)
        found = [self._block(part, view[rays]) for part, rays in blocks]
        names = ("density", "rgb", "features")
        whole = (torch.cat([getattr(block, name) for block in found]) for name in names)
        return FieldOutput(*(value[:count] for value in whole))

    def _block(self, points: Tensor, view: Tensor) -> FieldOutput:
        """The field at (B, 3) points with the view's (B, H) part of the colour's hidden layer."""
        head = self.head
        if self.motion is not None and head.motion is not None:
            points = points + head.motion.moved_by(points, self.motion)
        encoded = head.encode(head.unit(points)).to(view.dtype)
        gates = head.gates(encoded, points)
        inputs = torch.cat([encoded, *(gate for gate in gates if gate is not None)], -1)
        found = run_layers(self.density, inputs)
        colour = run_layers(self.colour, torch.relu(found[:, 1:] + view))
        return FieldOutput(*field_output(found[:, 0], colour, gates))


@torch.no_grad()
def fold_frame(head: HeadField, condition: HeadCondition, row: int) -> FoldedField:
    """The native field ``head`` driven by one ``row`` of ``condition``; it has no gradient."""
    one = slice(row, row + 1)
    only = HeadCondition(condition.mouth[one], condition.expression[one], condition.appearance[one])
    to_density, to_colour = head.modulation(only)
    (first_w, first_b), *middle, (out_w, out_b) = folded(
        linear_layers(head.density_net), to_density
    )
    # A gate's code scales the columns that read the gate.
    gated = (
        code[0]
        for code, on in zip((only.mouth, only.expression), head.config.gated, strict=True)
        if on
    )
    scale = torch.cat([first_w.new_ones(head.encoding.width), *gated])
    (seen_w, seen_b), *colour = folded(linear_layers(head.colour_net), to_colour)
    # The geometry features are linear in the density network's last hidden layer and enter a
    # linear layer: one matrix does both.
    sizes = [len(out_b) - 1, SH_WIDTH, only.appearance.shape[1]]
    plain, view, look = seen_w.split(sizes, 1)
    weight = torch.cat([out_w[:1], plain @ out_w[1:]])
    bias = torch.cat([out_b[:1], seen_b + plain @ out_b[1:] + look @ only.appearance[0]])
    return FoldedField(
        head,
        None if head.motion is None else head.motion.folded(only.mouth[0]),
        [(first_w * scale, first_b), *middle, (weight, bias)],
        view,
        colour,
    )
