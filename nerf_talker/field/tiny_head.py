"""The head field on tiny-cuda-nn: its hash grids and fully fused networks, on CUDA only.

The same field with other parts: three 2-D multi-resolution hash grids (Müller et al. 2022), whose
corners lie half a cell off ours and which compute in float16, and networks without biases
(tiny-cuda-nn fills up their inputs with ones where a multiple of 16 is missing). Its parameters
therefore do not fit the native field's, nor the other way round.
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor, nn

from nerf_talker.errors import BackendError
from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig, TriPlaneConfig
from nerf_talker.ops.optional import cuda_package
from nerf_talker.ops.reference import PLANE_AXES
from nerf_talker.types import FieldOutput

KEY = "talker.head.backend"
NETWORKS = ("mouth_gate", "expression_gate", "density_net", "colour_net")
FUSED_WIDTHS = (32, 64, 128)
"""Hidden widths that the fully fused kernel knows; others take the CUTLASS one."""


class TinyNetwork(nn.Module):
    """A network of tiny-cuda-nn with the sizes of a native one; gives what type it is given."""

    def __init__(self, tcnn: ModuleType, like: nn.Sequential) -> None:
        """``like`` holds linear layers whose hidden widths are equal, with ReLU between them."""
        super().__init__()
        layers = [part for part in like if isinstance(part, nn.Linear)]
        hidden = layers[0].out_features
        network = {
            "otype": "FullyFusedMLP" if hidden in FUSED_WIDTHS else "CutlassMLP",
            "activation": "ReLU",
            "output_activation": "None",
            "n_neurons": hidden,
            "n_hidden_layers": len(layers) - 1,
        }
        self.net = tcnn.Network(layers[0].in_features, layers[-1].out_features, network)

    def forward(self, inputs: Tensor) -> Tensor:
        """(M, O) outputs of (M, I) inputs, in their dtype."""
        return self.net(inputs).to(inputs.dtype)


class TinyHeadField(HeadField):
    """Density and colour of the head; see :class:`nerf_talker.field.head.HeadField`."""

    folds = False

    def __init__(
        self, config: HeadFieldConfig, codes: int, expressions: int, box: Tensor, mouth: Tensor
    ) -> None:
        """Build a field; the arguments are those of ``HeadField``.

        Raises:
            BackendError: tinycudann cannot be had here.
        """
        tcnn = cuda_package("tinycudann", KEY)
        super().__init__(config, codes, expressions, box, mouth)
        del self.table
        encoding = _encoding(config.grid)
        self.planes = nn.ModuleList(tcnn.Encoding(2, encoding) for _ in PLANE_AXES)
        for name in NETWORKS:
            setattr(self, name, TinyNetwork(tcnn, getattr(self, name)))

    def forward(
        self,
        points: Tensor,
        directions: Tensor,
        condition: HeadCondition,
        ray: Tensor,
        frame: Tensor,
    ) -> FieldOutput:
        """Evaluate the field; see :meth:`nerf_talker.field.head.HeadField.forward`."""
        return self._layer_by_layer(points, directions, condition, ray, frame)

    def encode(self, unit: Tensor) -> Tensor:
        """(M, width) features of (M, 3) points in [0, 1], the border value outside.

        Raises:
            BackendError: The points are not on a CUDA GPU.
        """
        if not unit.is_cuda:
            raise BackendError(
                f"{KEY} is tinycudann, which computes on a CUDA GPU only, and the head is on the "
                f"{unit.device.type}; set train.device to cuda, or {KEY} to native"
            )
        inside = unit.clamp(0, 1)
        pairs = zip(self.planes, PLANE_AXES, strict=True)
        return torch.cat([plane(inside[:, list(axes)]) for plane, axes in pairs], -1)

    def tables(self) -> list[nn.Parameter]:
        """The three grids' entries."""
        return list(self.planes.parameters())


def _encoding(grid: TriPlaneConfig) -> dict[str, str | int | float]:
    """The grid's sizes in tiny-cuda-nn's words."""
    return {
        "otype": "HashGrid",
        "n_levels": grid.levels,
        "n_features_per_level": grid.features,
        "log2_hashmap_size": grid.log2_entries,
        "base_resolution": grid.base,
        "per_level_scale": (grid.finest / grid.base) ** (1 / max(grid.levels - 1, 1)),
    }
