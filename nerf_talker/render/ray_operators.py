"""Which implementation of the operators on rays a talker is rendered with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from nerf_talker import ops
from nerf_talker.config import StrictModel
from nerf_talker.ops import Samples
from nerf_talker.ops.optional import cuda_package


class RenderConfig(StrictModel):
    """``backend``: our own operators, or nerfacc's on a CUDA GPU."""

    backend: Literal["native", "nerfacc"] = "native"


@dataclass(frozen=True)
class RayOperators:
    """Marching and compositing; the functions have the contracts of their namesakes in ``ops``.

    Attributes:
        march: Packed samples of rays.
        render_weights: Share of each sample in its pixel.
        composite: Weighted sums and opacity of each ray.
    """

    march: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, float, Tensor], Samples]
    render_weights: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    composite: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def ray_operators(config: RenderConfig) -> RayOperators:
    """The operators that a configuration asks for.

    Raises:
        BackendError: nerfacc is asked for and cannot be had.
    """
    if config.backend == "native":
        return RayOperators(ops.march, ops.render_weights, ops.composite)
    cuda_package("nerfacc", "talker.render.backend")
    from nerf_talker.render import nerfacc_rays

    return RayOperators(nerfacc_rays.march, nerfacc_rays.render_weights, nerfacc_rays.composite)
