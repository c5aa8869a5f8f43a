"""The head: a tri-plane radiance field whose conditions are gated in space.

In the manner of ER-NeRF (Li et al. 2023) and SyncTalk (Peng et al. 2024): a point's encoding
decides how much of the mouth code and of the upper-face expression it listens to, channel by
channel; density and colour follow from the encoding and the gated conditions. A small motion field
moves the lower face before the lookup (Park et al. 2021), so that lips travel instead of fading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from nerf_talker.config import StrictModel
from nerf_talker.ops import GridLayout, spherical_harmonics, triplane_encode
from nerf_talker.ops.checks import single
from nerf_talker.ops.cuda_fused import HeadLayers, Layers
from nerf_talker.ops.direction import SH_WIDTH
from nerf_talker.ops.field import FieldGrid, can_fuse, fused_field
from nerf_talker.types import FieldOutput

# Log density of a fresh field, 1/m: 7 mm of it stop a seventh of the light, neither fog nor void.
INITIAL_LOG_DENSITY = 3.0
# Samples are padded to a multiple of this. oneDNN compiles and keeps a kernel for every new shape:
# with counts as they come, memory grew by 20 MB a step and a step took 1.4-2 times as long.
SAMPLE_BLOCK = 4096
# exp(3 + 9) per metre is opaque within a tenth of a millimetre; larger only risks overflow.
LARGEST_LOG_DENSITY = 9.0


class TriPlaneConfig(StrictModel):
    """Sizes of the tri-plane hash grid; the finest cell should match a pixel's footprint."""

    levels: int = Field(default=12, ge=1, le=32)
    base: int = Field(default=16, ge=2)
    finest: int = Field(default=400, ge=2)
    log2_entries: int = Field(default=18, ge=1, le=26)
    features: int = Field(default=2, ge=1, le=8)


class HeadFieldConfig(StrictModel):
    """Sizes of the head field; ``motion`` is the largest displacement in metres, 0 turns it off.

    ``backend``: our own grid and torch's layers, or tiny-cuda-nn's on a CUDA GPU.
    """

    backend: Literal["native", "tinycudann"] = "native"
    grid: TriPlaneConfig = TriPlaneConfig()
    hidden: int = 64
    geometry: int = 64
    gate_hidden: int = 32
    appearance: int = 4
    motion: float = 0.012
    motion_hidden: int = 48


@dataclass(frozen=True)
class HeadCondition:
    """What drives the field, one row per driven frame.

    Attributes:
        mouth: (T, C) mouth code.
        expression: (T, E) upper-face expression.
        appearance: (T, A) appearance code.
    """

    mouth: Tensor
    expression: Tensor
    appearance: Tensor


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for index in range(len(widths) - 1):
        if index:
            layers.append(nn.ReLU())
        layers.append(nn.Linear(widths[index], widths[index + 1]))
    return nn.Sequential(*layers)


@torch.no_grad()
def start_at_zero(net: nn.Sequential) -> None:
    """Zero the last layer, so that a fresh net adds nothing."""
    last = net[-1]
    assert isinstance(last, nn.Linear)
    last.weight.zero_()
    last.bias.zero_()


def layer_dtype(values: Tensor) -> torch.dtype:
    """What linear layers compute in here: the autocast dtype where it is on."""
    device = values.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return values.dtype


def _linear(net: nn.Sequential) -> Layers:
    return [(part.weight, part.bias) for part in net if isinstance(part, nn.Linear)]


class MotionField(nn.Module):
    """Displacement of the lower face as a function of place and mouth code.

    Confined by a smooth window: full strength at the mouth, none above the nose or behind the jaw.
    """

    centre: Tensor
    radius: Tensor

    def __init__(
        self, codes: int, hidden: int, largest: float, centre: Tensor, radius: Tensor
    ) -> None:
        """Window ``centre`` and ``radius`` are (3,) metres in canonical head space."""
        super().__init__()
        self.largest = largest
        self.register_buffer("centre", centre)
        self.register_buffer("radius", radius)
        self.net = mlp(3 + 2 * 3 * 3 + codes, hidden, hidden, 3)
        start_at_zero(self.net)

    def forward(self, points: Tensor, mouth: Tensor) -> Tensor:
        """(M, 3) metres to add to ``points`` (M, 3), given (M, C) mouth codes."""
        local = (points - self.centre) / self.radius
        window = (1 - (local**2).sum(-1, keepdim=True)).clamp_min(0)
        window = window * window * (3 - 2 * window)
        angles = torch.cat([local * (torch.pi * 2**octave) for octave in range(3)], -1)
        inputs = torch.cat([local, angles.sin(), angles.cos(), mouth], -1)
        return self.largest * window * torch.tanh(single(self.net(inputs)))


class HeadField(nn.Module):
    """Density and colour of the head at points in canonical head space."""

    feature_names = ("mouth_gate", "expression_gate")
    box: Tensor

    def __init__(
        self, config: HeadFieldConfig, codes: int, expressions: int, box: Tensor, mouth: Tensor
    ) -> None:
        """Build a field.

        Args:
            config: Sizes.
            codes: C, width of the mouth code.
            expressions: E, width of the expression.
            box: (2, 3) corners of the volume, metres.
            mouth: (2, 3) centre and radius of the region that ``motion`` may deform, metres.
        """
        super().__init__()
        grid = config.grid
        self.layout = GridLayout.geometric(
            grid.levels, grid.base, grid.finest, grid.log2_entries, grid.features
        )
        self.table = nn.Parameter(torch.empty(self.layout.table_shape).uniform_(-1e-4, 1e-4))
        self.register_buffer("box", box)
        width = self.layout.width
        self.mouth_gate = mlp(width, config.gate_hidden, codes)
        self.expression_gate = mlp(width, config.gate_hidden, expressions)
        self.density_net = mlp(
            width + codes + expressions, config.hidden, config.hidden, 1 + config.geometry
        )
        self.colour_net = mlp(config.geometry + SH_WIDTH + config.appearance, config.hidden, 3)
        self.motion = (
            MotionField(codes, config.motion_hidden, config.motion, mouth[0], mouth[1])
            if config.motion > 0
            else None
        )

    def encode(self, unit: Tensor) -> Tensor:
        """(M, width) features of (M, 3) points in [0, 1], the border value outside."""
        return triplane_encode(unit, self.table, self.layout)

    def tables(self) -> list[nn.Parameter]:
        """What the encoding learns; it has a learning rate of its own."""
        return [self.table]

    def grid(self) -> FieldGrid:
        """The table and where it lies."""
        motion = self.motion
        if motion is None:
            return FieldGrid(self.table, self.layout, self.box, None, 0.0)
        mouth = torch.stack([motion.centre, motion.radius])
        return FieldGrid(self.table, self.layout, self.box, mouth, motion.largest)

    def layers(self) -> HeadLayers:
        """The linear layers of all networks."""
        return HeadLayers(
            () if self.motion is None else _linear(self.motion.net),
            _linear(self.mouth_gate),
            _linear(self.expression_gate),
            _linear(self.density_net),
            _linear(self.colour_net),
        )

    def forward(
        self,
        points: Tensor,
        directions: Tensor,
        condition: HeadCondition,
        ray: Tensor,
        frame: Tensor,
    ) -> FieldOutput:
        """Evaluate the field.

        Args:
            points: (M, 3) metres, canonical head space.
            directions: (N, 3) unit view direction of each ray.
            condition: T driven frames.
            ray: (M,) ray of each point.
            frame: (M,) row of ``condition`` of each point.

        Returns:
            Density, colour and the two mean gates at M points.
        """
        grid, layers = self.grid(), self.layers()
        if can_fuse(points, directions, grid, layers):
            given = (condition.mouth, condition.expression, condition.appearance)
            return FieldOutput(*fused_field(points, directions, ray, frame, grid, layers, given))
        return self._layer_by_layer(points, directions, condition, ray, frame)

    def _layer_by_layer(
        self,
        points: Tensor,
        directions: Tensor,
        condition: HeadCondition,
        ray: Tensor,
        frame: Tensor,
    ) -> FieldOutput:
        """The same with torch's own layers: on a GPU, and what the fused call is held against."""
        count = len(points)
        missing = -count % SAMPLE_BLOCK
        points, ray, frame = (
            F.pad(value, (0, 0) * (value.dim() - 1) + (0, missing))
            for value in (points, ray, frame)
        )
        mouth = condition.mouth[frame]
        if self.motion is not None:
            points = points + self.motion(points, mouth)
        unit = (points - self.box[0]) / (self.box[1] - self.box[0])
        # One dtype for all that is concatenated: mixed ones take torch's slow path.
        dtype = layer_dtype(points)
        encoded = self.encode(unit).to(dtype)
        mouth, expression = mouth.to(dtype), condition.expression.to(dtype)[frame]
        mouth_gate = torch.sigmoid(self.mouth_gate(encoded))
        expression_gate = torch.sigmoid(self.expression_gate(encoded))
        inputs = torch.cat([encoded, mouth * mouth_gate, expression * expression_gate], -1)
        hidden = self.density_net(inputs)
        log_density = single(hidden[:, 0]).clamp(max=LARGEST_LOG_DENSITY) + INITIAL_LOG_DENSITY
        view = spherical_harmonics(directions).to(dtype)[ray]
        # Indexed before the cast: the gradient of a row sums thousands of samples.
        appearance = condition.appearance[frame].to(dtype)
        seen = torch.cat([hidden[:, 1:], view, appearance], -1)
        # Stretched a little so that pure black and white lie at finite inputs (mip-NeRF).
        rgb = torch.sigmoid(single(self.colour_net(seen))) * 1.002 - 0.001
        gates = single(torch.stack([mouth_gate.mean(-1), expression_gate.mean(-1)], -1))
        return FieldOutput(log_density[:count].exp(), rgb[:count], gates[:count])
