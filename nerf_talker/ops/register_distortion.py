"""Kernels, fake kernels and gradient of the distortion along rays; see ``register.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nerf_talker.ops.abi import NativeLibrary


def _distortion(
    library: NativeLibrary, weights: Tensor, middles: Tensor, lengths: Tensor, offsets: Tensor
) -> Tensor:
    given = [value.contiguous() for value in (weights, middles, lengths, offsets)]
    found = _distortion_fake(*given)
    sizes = (len(offsets), len(weights))
    library.call("distortion", weights.dtype, *given, *sizes, found)
    return found


def _distortion_fake(weights: Tensor, middles: Tensor, lengths: Tensor, offsets: Tensor) -> Tensor:
    return weights.new_empty(offsets.shape[0])


def _distortion_backward(
    library: NativeLibrary,
    gradient: Tensor,
    weights: Tensor,
    middles: Tensor,
    lengths: Tensor,
    offsets: Tensor,
) -> Tensor:
    given = [value.contiguous() for value in (gradient, weights, middles, lengths, offsets)]
    found = torch.zeros_like(given[1])  # a sample that belongs to no ray has no gradient
    sizes = (len(offsets), len(weights))
    library.call("distortion_backward", weights.dtype, *given, *sizes, found)
    return found


def _distortion_backward_fake(gradient: Tensor, weights: Tensor, *rest: Tensor) -> Tensor:
    return weights.new_empty(weights.shape)


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradient(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
    backward = torch.ops.nerf_talker.ray_distortion_backward
    return backward(gradient, *ctx.saved_tensors), None, None, None


OPERATORS: tuple[tuple[str, Callable[..., Any], Callable[..., Any]], ...] = (
    (
        "ray_distortion(Tensor weights, Tensor middles, Tensor lengths, Tensor offsets) -> Tensor",
        _distortion,
        _distortion_fake,
    ),
    (
        "ray_distortion_backward(Tensor gradient, Tensor weights, Tensor middles, Tensor lengths,"
        " Tensor offsets) -> Tensor",
        _distortion_backward,
        _distortion_backward_fake,
    ),
)

GRADIENTS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "ray_distortion": (_save, _gradient)
}
