"""The head: a radiance field composed of an encoding, conditioners, a fusion and two networks.

A place is encoded by a grid (``encoding.py``); what drives the face comes from conditioners
(``conditioning.py``) and reaches the networks by one fusion or several: concatenated with the
encoding, gated in space channel by channel as in ER-NeRF (Li et al. 2023) and SyncTalk (Peng et al.
2024), or as scale and shift of hidden layers as in R2-Talker (Ye et al. 2023). A small motion field
moves the lower face before the lookup (Park et al. 2021), so that lips travel instead of fading.
One composition, three planes with gates, runs in a single native call.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nerf_talker.field.conditioning import FilmNetwork, HeadCondition, LandmarkGrid
from nerf_talker.field.encoding import Encoding, TriPlaneConfig
from nerf_talker.field.head_config import HeadFieldConfig
from nerf_talker.field.motion import MotionField
from nerf_talker.field.mouth import MouthCode
from nerf_talker.field.networks import (
    Modulation,
    layer_dtype,
    linear_layers,
    mlp,
    modulated,
    padded_samples,
    start_at_zero,
)
from nerf_talker.field.regions import RegionPrior
from nerf_talker.ops import GridLayout, spherical_harmonics
from nerf_talker.ops.checks import single
from nerf_talker.ops.cuda_fused import HeadLayers
from nerf_talker.ops.direction import SH_WIDTH
from nerf_talker.ops.field import FieldGrid, can_fuse, fused_field
from nerf_talker.types import BoolArray, FieldOutput, FloatArray

__all__ = [
    "HeadCondition",
    "HeadField",
    "HeadFieldConfig",
    "TriPlaneConfig",
    "mlp",
    "start_at_zero",
]

# Log density of a fresh field, 1/m: 7 mm of it stop a seventh of the light, neither fog nor void.
INITIAL_LOG_DENSITY = 3.0
# exp(3 + 9) per metre is opaque within a tenth of a millimetre; larger only risks overflow.
LARGEST_LOG_DENSITY = 9.0


class HeadField(nn.Module):
    """Density and colour of the head at points in canonical head space."""

    feature_names = ("mouth_gate", "expression_gate")
    folds = True
    """Whether its layers can be had, to fold a frame's constants into them."""

    box: Tensor

    def __init__(
        self, config: HeadFieldConfig, codes: int, expressions: int, box: Tensor, mouth: Tensor
    ) -> None:
        """Build a field.

        Args:
            config: Parts and sizes.
            codes: C, width of the mouth code.
            expressions: E, width of the expression.
            box: (2, 3) corners of the volume, metres.
            mouth: (2, 3) centre and radius of the region that ``motion`` may deform, metres.
        """
        super().__init__()
        self.config = config
        self.encoding = Encoding.of(config.encoding, config.grid)
        self.layout = self.encoding.layout
        self.table = self.encoding.fresh_table()
        self.register_buffer("box", box)
        width, hidden = self.encoding.width, config.hidden
        widths = (codes, expressions)
        gates = [
            mlp(width, config.gate_hidden, size) if gated else None
            for gated, size in zip(config.gated, widths, strict=True)
        ]
        self.mouth_gate, self.expression_gate = gates
        gated_width = sum(size for gate, size in zip(gates, widths, strict=True) if gate)
        landmarks = None
        if "landmarks" in config.conditioners:
            landmarks = LandmarkGrid(config.landmarks, codes)
        given = {"mouth": codes, "expression": expressions}
        given["landmarks"] = 0 if landmarks is None else landmarks.width
        code = sum(given[name] for name in config.conditioners)
        self.joined = code if "concat" in config.fusion else 0
        seen = width + gated_width + self.joined
        self.density_net = mlp(seen, hidden, hidden, 1 + config.geometry)
        self.colour_net = mlp(config.geometry + SH_WIDTH + config.appearance, hidden, 3)
        self.motion = (
            MotionField(codes, config.motion_hidden, config.motion, mouth[0], mouth[1])
            if config.motion > 0
            else None
        )
        self.landmarks = landmarks
        film = "film" in config.fusion
        self.film = FilmNetwork(code, config.film_hidden, (hidden,) * 3) if film else None
        self.regions = RegionPrior(box) if config.region_prior else None
        self._compiled: Callable[..., tuple[Tensor, Tensor, Tensor]] | None = None

    def compile_layers(self) -> None:
        """Let torch compile the layers behind the encoding where gradients are wanted.

        Ray counts change from step to step, so one program serves every number of samples.
        """
        self._compiled = torch.compile(self._decode, dynamic=True)

    def know_face(
        self, mouth: MouthCode, landmarks: FloatArray, valid: BoolArray, shape: FloatArray
    ) -> None:
        """Fix what the training frames say about the face before anything is learned.

        Args:
            mouth: The mouth code, fitted.
            landmarks: (F, K, 3) canonical mouth landmarks it was fitted to, metres.
            valid: (F,) frames to fit to.
            shape: (478, 3) mean canonical landmarks, metres.
        """
        if self.landmarks is not None:
            self.landmarks.fit(mouth, landmarks, valid)
        if self.regions is not None:
            self.regions.fit(shape)

    def encode(self, unit: Tensor) -> Tensor:
        """(M, width) features of (M, 3) points in [0, 1], the border value outside."""
        return self.encoding(unit, self.table)

    def tables(self) -> list[nn.Parameter]:
        """What the grids learn; they have a learning rate of their own."""
        return [self.table] if self.landmarks is None else [self.table, self.landmarks.table]

    def grid(self) -> FieldGrid:
        """The table and where it lies, of a field that runs in one native call."""
        motion, layout = self.motion, self.layout
        assert isinstance(layout, GridLayout)
        if motion is None:
            return FieldGrid(self.table, layout, self.box, None, 0.0)
        mouth = torch.stack([motion.centre, motion.radius])
        return FieldGrid(self.table, layout, self.box, mouth, motion.largest)

    def layers(self) -> HeadLayers:
        """The linear layers of all networks, of a field that runs in one native call."""
        assert self.mouth_gate is not None and self.expression_gate is not None
        return HeadLayers(
            () if self.motion is None else linear_layers(self.motion.net),
            linear_layers(self.mouth_gate),
            linear_layers(self.expression_gate),
            linear_layers(self.density_net),
            linear_layers(self.colour_net),
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
            Density, colour and the two mean gates at M points; a gate is 0 where there is none.
        """
        if self.config.plain:
            grid, layers = self.grid(), self.layers()
            if can_fuse(points, directions, grid, layers):
                given = (condition.mouth, condition.expression, condition.appearance)
                found = fused_field(points, directions, ray, frame, grid, layers, given)
                return FieldOutput(*found)
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
        points, ray, frame = padded_samples(points, ray, frame)
        if self.motion is not None:
            points = points + self.motion(points, condition.mouth[frame])
        # One dtype for all that is concatenated: mixed ones take torch's slow path.
        encoded = self.encode(self.unit(points)).to(layer_dtype(points))
        compiled = self._compiled if torch.is_grad_enabled() else None
        layers = self._decode if compiled is None else compiled
        view, change = spherical_harmonics(directions), self.modulation(condition)
        found = layers(encoded, points, view, condition, change, ray, frame)
        return FieldOutput(*(value[:count] for value in found))

    def _decode(
        self,
        encoded: Tensor,
        points: Tensor,
        view: Tensor,
        condition: HeadCondition,
        change: tuple[Modulation, Modulation],
        ray: Tensor,
        frame: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Density, colour and mean gates from (M, width) features and (N, 16) harmonics."""
        dtype = encoded.dtype
        gates = self.gates(encoded, points)
        codes = (condition.mouth, condition.expression)
        # Indexed before the cast: the gradient of a row sums thousands of samples.
        heard = [
            code[frame].to(dtype) * gate
            for code, gate in zip(codes, gates, strict=True)
            if gate is not None
        ]
        to_density, to_colour = change
        inputs = torch.cat([encoded, *heard], -1)
        hidden = modulated(self.density_net, inputs, to_density, frame)
        appearance = condition.appearance[frame].to(dtype)
        seen = torch.cat([hidden[:, 1:], view.to(dtype)[ray], appearance], -1)
        colour = modulated(self.colour_net, seen, to_colour, frame)
        return field_output(hidden[:, 0], colour, gates)

    def unit(self, points: Tensor) -> Tensor:
        """(M, 3) points in units of the box."""
        return (points - self.box[0]) / (self.box[1] - self.box[0])

    def gates(self, encoded: Tensor, points: Tensor) -> list[Tensor | None]:
        """(M, C) mouth and (M, E) expression gates in [0, 1] at (M, 3) metres, None without one."""
        nets = (self.mouth_gate, self.expression_gate)
        raw = [None if net is None else net(encoded) for net in nets]
        if self.regions is not None:
            odds = self.config.region_prior * self.regions.log_odds(points).to(encoded.dtype)
            raw = [r if r is None else r + odds[:, i : i + 1] for i, r in enumerate(raw)]
        return [None if value is None else torch.sigmoid(value) for value in raw]

    def modulation(self, condition: HeadCondition) -> tuple[Modulation, Modulation]:
        """What the T frames do to the density network and to the colour network."""
        if self.film is None and "concat" not in self.config.fusion:
            return Modulation(), Modulation()
        # Once per frame, and everything at the frame hangs on it: exact even under autocast.
        with torch.autocast(condition.mouth.device.type, enabled=False):
            given = {"mouth": condition.mouth, "expression": condition.expression}
            if self.landmarks is not None:
                given["landmarks"] = self.landmarks(condition.mouth)
            code = torch.cat([given[name] for name in self.config.conditioners], -1)
            film = [] if self.film is None else self.film(code)
        joined = code if "concat" in self.config.fusion else None
        return Modulation(joined, film[:2]), Modulation(None, film[2:])


def field_output(
    log_density: Tensor, colour: Tensor, gates: list[Tensor | None]
) -> tuple[Tensor, Tensor, Tensor]:
    """Density, colour and mean gates that the networks' last layers stand for."""
    log_density = single(log_density).clamp(max=LARGEST_LOG_DENSITY) + INITIAL_LOG_DENSITY
    # Stretched a little so that pure black and white lie at finite inputs (mip-NeRF).
    rgb = torch.sigmoid(single(colour)) * 1.002 - 0.001
    means = [rgb.new_zeros(len(rgb)) if gate is None else single(gate.mean(-1)) for gate in gates]
    return log_density.exp(), rgb, torch.stack(means, -1)
