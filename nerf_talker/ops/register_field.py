"""Kernel, fake kernel and gradient of the fused field; see ``register.py``.

The kernels are those of ``cuda_ext/cpu/field_*``; their header ``field_call.h`` states the
arithmetic and mirrors :class:`_Call`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nerf_talker.errors import BackendError
from nerf_talker.ops.abi import NativeLibrary
from nerf_talker.ops.register_grid import level_arrays

_GIVEN = ("points", "table", "harmonics", "ray", "frame", "weights", "frame_rows", "box", "mouth")
_LEVELS = ("resolution", "first", "entries")
_FOUND = ("density", "rgb", "gates", "unit", "encoded")
_GRADIENTS = ("d_density", "d_rgb", "d_gates", "d_encoded", "d_weights", "d_frame_rows")
_WIDTHS = (
    *("motion_hidden", "mouth_hidden", "face_hidden", "mouth_codes", "expressions"),
    *("hidden", "colour_hidden"),
)
_COUNTS = ("count", "rays", "frames", "all_entries", "weight_count", "frame_width")
_PAD = 16


class _Call(ctypes.Structure):
    """FieldCall of field_call.h."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in (*_GIVEN, *_LEVELS, *_FOUND, *_GRADIENTS)),
        *((name, ctypes.c_int64) for name in _COUNTS),
        ("largest_motion", ctypes.c_double),
        *((name, ctypes.c_int32) for name in ("levels", "features", *_WIDTHS, "brain")),
    ]


def _run(
    library: NativeLibrary,
    name: str,
    tensors: dict[str, Tensor],
    resolutions: Sequence[int],
    limit: int,
    widths: Sequence[int],
    largest_motion: float,
    brain: bool,
) -> None:
    """Fill in the structure and call; an empty tensor of what is kept becomes a null pointer."""
    if library.name != "cpu":
        raise BackendError(f"{name}: the {library.name} back-end has none")
    *levels, entries = level_arrays(tuple(resolutions), limit)
    call = _Call(
        **{key: value.data_ptr() or None for key, value in tensors.items()},
        **{key: ctypes.addressof(values) for key, values in zip(_LEVELS, levels, strict=True)},
        **dict(zip(_WIDTHS, widths, strict=True)),
        count=len(tensors["points"]),
        rays=len(tensors["harmonics"]),
        frames=len(tensors["frame_rows"]),
        all_entries=entries,
        weight_count=len(tensors["weights"]),
        frame_width=tensors["frame_rows"].shape[1],
        largest_motion=largest_motion,
        levels=len(resolutions),
        features=tensors["table"].shape[2],
        brain=brain,
    )
    library.call(name, tensors["points"].dtype, ctypes.byref(call))


def _field(library: NativeLibrary, *given: Any) -> tuple[Tensor, ...]:
    found = _field_fake(*given)
    tensors = [value.contiguous() for value in given[: len(_GIVEN)]]
    named = dict(zip((*_GIVEN, *_FOUND), (*tensors, *found), strict=True))
    _run(library, "field", named, *given[len(_GIVEN) : -1])
    return found


def _field_fake(points: Tensor, table: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    resolutions, brain, keep = rest[7], rest[-2], rest[-1]
    count = points.shape[0]
    width = 3 * len(resolutions) * table.shape[2]
    kept = count if keep else 0
    size = 2 if brain else points.element_size()
    padded = -(-width // _PAD) * _PAD * size
    return (
        points.new_empty(count),
        points.new_empty(count, 3),
        points.new_empty(count, 2),
        points.new_empty(kept, 3),
        points.new_empty((kept, padded), dtype=torch.uint8),
    )


def _field_backward(library: NativeLibrary, *given: Any) -> tuple[Tensor, Tensor, Tensor]:
    names = (*_GRADIENTS[:3], *_GIVEN, *_FOUND)
    tensors = dict(zip(names, (v.contiguous() for v in given[: len(names)]), strict=True))
    points, table = tensors["points"], tensors["table"]
    resolutions, limit = given[len(names)], given[len(names) + 1]
    found = _field_backward_fake(*given)
    tensors["d_encoded"] = points.new_empty(len(points), 3 * len(resolutions) * table.shape[2])
    tensors |= dict(zip(_GRADIENTS[4:], found[1:], strict=True))
    _run(library, "field_backward", tensors, *given[len(names) :])
    *levels, entries = level_arrays(tuple(resolutions), limit)
    library.call(
        "triplane_encode_backward",
        points.dtype,
        *(tensors["d_encoded"], tensors["unit"], table, *levels),
        *(len(resolutions), table.shape[2], entries, len(points)),
        *(found[0], None),
    )
    return found


def _field_backward_fake(*given: Any) -> tuple[Tensor, Tensor, Tensor]:
    first = len(_GRADIENTS[:3])
    named = dict(zip(_GIVEN, given[first:], strict=False))
    wanted = (named[name] for name in ("table", "weights", "frame_rows"))
    return tuple(value.new_empty(value.shape) for value in wanted)  # type: ignore[return-value]


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    tensors = inputs[: len(_GIVEN)]
    ctx.rest = inputs[len(_GIVEN) : -1]
    ctx.save_for_backward(*tensors, *output)
    ctx.mark_non_differentiable(*output[3:])


def _gradient(ctx: Any, d_density: Tensor, d_rgb: Tensor, d_gates: Tensor, *_: Any) -> Any:
    backward = torch.ops.nerf_talker.fused_field_backward
    found = backward(d_density, d_rgb, d_gates, *ctx.saved_tensors, *ctx.rest)
    d_table, d_weights, d_rows = found
    return None, d_table, None, None, None, d_weights, d_rows, *(None,) * 8


_TENSORS = (
    "Tensor points, Tensor table, Tensor harmonics, Tensor ray, Tensor frame, Tensor weights,"
    " Tensor frame_rows, Tensor box, Tensor mouth"
)
_REST = "int[] resolutions, int entries, int[] widths, float largest_motion, bool brain"

OPERATORS: tuple[tuple[str, Callable[..., Any], Callable[..., Any]], ...] = (
    (
        f"fused_field({_TENSORS}, {_REST}, bool keep) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
        _field,
        _field_fake,
    ),
    (
        f"fused_field_backward(Tensor d_density, Tensor d_rgb, Tensor d_gates, {_TENSORS},"
        f" Tensor density, Tensor rgb, Tensor gates, Tensor unit, Tensor encoded, {_REST})"
        " -> (Tensor, Tensor, Tensor)",
        _field_backward,
        _field_backward_fake,
    ),
)

GRADIENTS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "fused_field": (_save, _gradient),
}
