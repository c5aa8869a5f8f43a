"""Fused rendering of the head on CUDA: folding a frame's constants into the layers, and the call.

The kernels are those of ``cuda_ext/cuda/fused_*.cu``; their header ``fused_field.h`` states the
arithmetic and mirrors :class:`_Call` and the padding below.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.errors import BackendError
from nerf_talker.ops.abi import NativeLibrary
from nerf_talker.ops.cuda_kernels import aligned
from nerf_talker.ops.register_grid import level_arrays
from nerf_talker.ops.triplane import GridLayout

Layers = Sequence[tuple[Tensor, Tensor]]
"""(weight, bias) of the linear layers of a network, in order."""

_TILE, _ROW_PADDING, _MOTION_INPUTS, _SH = 16, 8, 21, 16


@dataclass(frozen=True)
class HeadLayers:
    """The head's networks; ``motion`` is empty where nothing moves."""

    motion: Layers
    mouth_gate: Layers
    expression_gate: Layers
    density: Layers
    colour: Layers


@dataclass(frozen=True)
class FoldedHead:
    """The networks of one frame, ready for the kernels.

    Attributes:
        weights: All layers in one padded buffer, float32.
        biases: Likewise.
        motion_hidden: Width of the motion field, 0 without one.
        gate_hidden: Width of both gates' hidden layers together.
        gates: Gated channels.
        hidden: Width of the density network.
        colour_hidden: Width of the colour network.
    """

    weights: Tensor
    biases: Tensor
    motion_hidden: int
    gate_hidden: int
    gates: int
    hidden: int
    colour_hidden: int


@dataclass(frozen=True)
class Scene:
    """What stays the same from frame to frame, all on one device.

    Attributes:
        table: Of the tri-plane grid, float32 or float16.
        layout: Its sizes.
        field_box: (2, 3) metres.
        mouth: (2, 3) centre and radius of the motion, or None.
        largest_motion: Metres.
        cells: (R, R, R) bool occupancy.
        blocks: Coarse occupancy, or None.
        grid_box: (2, 3) metres, of the occupancy.
    """

    table: Tensor
    layout: GridLayout
    field_box: Tensor
    mouth: Tensor | None
    largest_motion: float
    cells: Tensor
    blocks: Tensor | None
    grid_box: Tensor


@torch.no_grad()
def fold(layers: HeadLayers, mouth: Tensor, expression: Tensor, appearance: Tensor) -> FoldedHead:
    """Fold the (C,) mouth code, (E,) expression and (A,) appearance of one frame into the layers.

    A code only meets the networks through products with constant matrices, so it becomes a bias or
    scales the columns that read its gates. The geometry features are linear in the density
    network's last hidden layer and enter a linear layer: one matrix does both.
    """
    (first_mouth, last_mouth), (first_face, last_face) = layers.mouth_gate, layers.expression_gate
    (in_w, in_b), middle, (out_w, out_b) = layers.density
    (seen_w, seen_b), colour = layers.colour
    codes = len(mouth) + len(expression)
    width, geometry = in_w.shape[1] - codes, out_w.shape[0] - 1
    conditions = torch.cat([mouth, expression])
    plain, view, look = seen_w.split([geometry, _SH, len(appearance)], 1)
    packer = _Packer(in_w)
    if layers.motion:
        (move_w, move_b), *rest = layers.motion
        packer.add([move_w[:, :_MOTION_INPUTS]], move_b + move_w[:, _MOTION_INPUTS:] @ mouth)
        for weight, bias in rest:
            packer.add([weight], bias)
    packer.add([torch.cat([first_mouth[0], first_face[0]])], _joined(first_mouth, first_face))
    packer.add([torch.block_diag(last_mouth[0], last_face[0])], _joined(last_mouth, last_face))
    packer.add([in_w[:, :width], in_w[:, width:] * conditions], in_b)
    packer.add([middle[0]], middle[1])
    packer.add([out_w[:1]], out_b[:1])
    packer.add([plain @ out_w[1:], view], seen_b + plain @ out_b[1:] + look @ appearance)
    packer.add([colour[0]], colour[1])
    return FoldedHead(
        torch.cat(packer.weights),
        torch.cat(packer.biases),
        len(layers.motion[0][1]) if layers.motion else 0,
        len(first_mouth[1]) + len(first_face[1]),
        codes,
        len(in_b),
        len(seen_b),
    )


def _joined(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
    return torch.cat([first[1], second[1]])


def _padded(width: int) -> int:
    return -(-width // _TILE) * _TILE


class _Packer:
    """Layers one after the other, each padded to tiles with zeros."""

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.weights: list[Tensor] = []
        self.biases: list[Tensor] = []

    def add(self, parts: Sequence[Tensor], bias: Tensor) -> None:
        """Append a layer that reads several padded inputs side by side."""
        outputs = _padded(len(bias))
        stride = sum(_padded(part.shape[1]) for part in parts) + _ROW_PADDING
        weight = self.like.new_zeros(outputs, stride, dtype=torch.float32)
        at = 0
        for part in parts:
            weight[: len(bias), at : at + part.shape[1]] = part
            at += _padded(part.shape[1])
        self.weights.append(weight.reshape(-1))
        full = self.like.new_zeros(outputs, dtype=torch.float32)
        full[: len(bias)] = bias
        self.biases.append(full)


_POINTERS = (
    *("origins", "directions", "near", "far", "jitter", "cells", "blocks", "grid_box"),
    *(
        "field_box",
        "mouth",
        "table",
        "half_table",
        "resolution",
        "first",
        "entries",
        "weights",
        "biases",
    ),
    *("rgb", "opacity", "depth", "queue"),
)
_DTYPES = {"cells": torch.bool, "blocks": torch.bool, "queue": torch.int64}
_DTYPES["half_table"] = torch.float16
_LONGS = ("rays", "all_entries", "weight_count", "bias_count")
_INTS = (
    *("cells_per_edge", "levels", "features", "motion_hidden", "gate_hidden", "gates"),
    *("hidden", "colour_hidden", "round_to_half"),
)
_FLOATS = ("step", "stop", "largest_motion")


class _Call(ctypes.Structure):
    """FusedCall of fused_field.h."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in _POINTERS),
        *((name, ctypes.c_int64) for name in _LONGS),
        *((name, ctypes.c_int32) for name in _INTS),
        *((name, ctypes.c_float) for name in _FLOATS),
    ]


@dataclass(frozen=True)
class Rays:
    """(N, 3) origins and unit directions, (N,) near, far in metres and jitter in [0, 1)."""

    origins: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor
    jitter: Tensor


def _levels(layout: GridLayout) -> dict[str, ctypes.Array[ctypes.c_int32]]:
    *arrays, _ = level_arrays(layout.resolutions, layout.entries)
    return dict(zip(("resolution", "first", "entries"), arrays, strict=True))


def _table(library: NativeLibrary, table: Tensor) -> dict[str, Tensor | None]:
    """The table as it is stored on the processor; the CUDA kernels read single precision."""
    if table.dtype == torch.float16 and library.prefix == "nt":
        return {"table": None, "half_table": table}
    return {"table": table.float() if table.dtype == torch.float16 else table, "half_table": None}


def _check_dtypes(tensors: dict[str, Tensor | None]) -> None:
    for name, value in tensors.items():
        wanted = _DTYPES.get(name, torch.float32)
        if value is not None and name != "weights" and value.dtype != wanted:
            raise BackendError(f"fused_render: {name} is {value.dtype}, needs {wanted}")


def _sizes(scene: Scene, head: FoldedHead, rays: int) -> dict[str, int]:
    widths = ("motion_hidden", "gate_hidden", "gates", "hidden", "colour_hidden")
    return {
        "rays": rays,
        "all_entries": scene.layout.table_shape[1],
        "weight_count": len(head.weights),
        "bias_count": len(head.biases),
        "cells_per_edge": len(scene.cells),
        "levels": len(scene.layout.resolutions),
        "features": scene.layout.features,
        **{name: getattr(head, name) for name in widths},
    }


def fused_render(
    library: NativeLibrary,
    scene: Scene,
    head: FoldedHead,
    rays: Rays,
    step: float,
    stop: float = 1e-4,
    tensor_cores: bool = True,
    round_to_half: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Render N rays of one frame in one launch.

    Args:
        library: Emulated or CUDA.
        scene: What is rendered.
        head: Its networks in this frame.
        rays: On the scene's device, float32.
        step: Sample length in metres.
        stop: A ray ends when less than this share of the light passes.
        tensor_cores: float16 products with float32 sums; otherwise plain float32.
        round_to_half: For the plain form: round what enters a product as tensor cores do.

    Returns:
        (N, 3) premultiplied colour, (N,) opacity, (N,) metres times opacity.

    Raises:
        BackendError: A dtype does not fit, or the launch fails.
    """
    half = tensor_cores or round_to_half
    weights = head.weights.half() if half else head.weights
    tensors = {
        **{name: getattr(rays, name) for name in Rays.__dataclass_fields__},
        **{name: getattr(scene, name) for name in ("cells", "blocks", "grid_box", "field_box")},
        **{"mouth": scene.mouth, "biases": head.biases},
        **_table(library, scene.table),
        "weights": weights if tensor_cores else weights.float(),
    }
    tensors = {k: v if v is None else aligned(v.contiguous()) for k, v in tensors.items()}
    found = {"rgb": rays.near.new_empty(len(rays.near), 3)}
    found |= {name: torch.empty_like(tensors["near"]) for name in ("opacity", "depth")}
    found["queue"] = torch.empty(1, dtype=torch.int64, device=rays.near.device)
    _check_dtypes(tensors)
    levels = _levels(scene.layout)
    # Tensors and arrays stay in these dictionaries until the call is over: an address keeps
    # nothing alive.
    call = _Call(
        **{name: v if v is None else v.data_ptr() for name, v in (tensors | found).items()},
        **{name: ctypes.addressof(values) for name, values in levels.items()},
        **_sizes(scene, head, len(rays.near)),
        round_to_half=round_to_half,
        step=step,
        stop=stop,
        largest_motion=scene.largest_motion,
    )
    scalar = library.prefix == "ntc" and not tensor_cores
    library.call_struct(
        "fused_scalar" if scalar else "fused_render", ctypes.byref(call), found["rgb"]
    )
    return found["rgb"], found["opacity"], found["depth"]
