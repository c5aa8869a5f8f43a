"""What rendering a frame saves by knowing that it is one frame and needs no gradient.

All rays in one native call where the head allows it; else its constants folded into its layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.field.folding import FoldedField, fold_frame
from nerf_talker.field.head import HeadCondition
from nerf_talker.ops.abi import NativeLibrary
from nerf_talker.ops.backend import library_for_table
from nerf_talker.ops.cuda_fused import HeadLayers, Rays, Scene, fold, fused_render
from nerf_talker.ops.direction import SH_WIDTH
from nerf_talker.ops.register_rays import coarse_occupancy
from nerf_talker.render.talker import Talker
from nerf_talker.types import RayBundle

# A ray ends when less of the light passes: below half a step of an 8-bit picture by far.
STOP = 1e-4
# Rows of the renderer's activation buffers; WIDEST of fused_render.cpp.
WIDEST = 256
_PADDED = 16


@dataclass(frozen=True)
class FusedRenderer:
    """Renders the head of one talker, whose weights may not change meanwhile.

    Attributes:
        library: What renders.
        scene: What stays the same from frame to frame.
        layers: The head's networks.
        step: Sample length in metres.
    """

    library: NativeLibrary
    scene: Scene
    layers: HeadLayers
    step: float

    @classmethod
    def of(cls, talker: Talker) -> FusedRenderer | None:
        """A renderer for the talker; None where only the operators one by one can do it."""
        head = talker.head
        if not head.config.plain:
            return None
        if {talker.config.head.backend, talker.config.render.backend} != {"native"}:
            return None
        library = library_for_table(head.box, head.table)
        if library is None or library.name != "cpu" or head.box.dtype != torch.float32:
            return None
        if min(head.layout.resolutions, default=0) < 2 or _widest(talker) > WIDEST:
            return None
        return cls(library, _scene(talker), head.layers(), talker.config.step)

    @torch.no_grad()
    def render(self, rays: RayBundle, condition: HeadCondition, row: int) -> tuple[Tensor, Tensor]:
        """(N, 3) premultiplied colour and (N,) opacity of rays that all show frame ``row``."""
        folded = fold(
            self.layers, condition.mouth[row], condition.expression[row], condition.appearance[row]
        )
        jitter = torch.full_like(rays.near, 0.5)
        given = Rays(rays.origins, rays.directions, rays.near, rays.far, jitter)
        rgb, opacity, _ = fused_render(
            self.library, self.scene, folded, given, self.step, STOP, tensor_cores=False
        )
        return rgb, opacity


def folded_head(talker: Talker, condition: HeadCondition, row: int) -> FoldedField | None:
    """The head in one frame for rendering by operators; None where the head itself serves better.

    That is where a gradient is wanted, where the native library computes all of its layers in one
    call per batch of samples, or where they are another library's.
    """
    head = talker.head
    native = head.config.plain and library_for_table(head.box, head.table) is not None
    if native or not head.folds or torch.is_grad_enabled():
        return None
    return fold_frame(head, condition, row)


def _widest(talker: Talker) -> int:
    """Rows of activations at the widest place, as ``plan_of`` of fused_field.h counts them."""
    head, config = talker.head, talker.config.head
    layers = head.layers()

    def padded(width: int) -> int:
        return -(-width // _PADDED) * _PADDED

    gates = len(layers.mouth_gate[1][1]) + len(layers.expression_gate[1][1])
    inputs = padded(head.layout.width) + padded(gates)
    hidden = padded(config.hidden) + SH_WIDTH
    return max(inputs, hidden, padded(config.motion_hidden), padded(2 * config.gate_hidden))


def _scene(talker: Talker) -> Scene:
    head, grid = talker.head.grid(), talker.occupancy
    return Scene(
        head.table.detach(),
        head.layout,
        head.box,
        head.mouth,
        head.largest_motion,
        grid.cells,
        coarse_occupancy(grid.cells),
        grid.box,
    )
