"""Argument checks shared by the operators: name the argument, what it had, what it needs."""

from __future__ import annotations

import torch
from torch import Tensor


def check_shape(op: str, name: str, value: Tensor, *shape: int | None) -> None:
    """Require ``value`` to have ``shape``; None matches any length.

    Raises:
        ValueError: The shape differs.
    """
    fits = value.dim() == len(shape) and all(
        want is None or have == want for have, want in zip(value.shape, shape, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise ValueError(f"{op}: {name} has shape {tuple(value.shape)}, needs {wanted}")


def check_floating(op: str, **values: Tensor) -> None:
    """Require every value to be float32 or float64 and all on one device.

    Raises:
        ValueError: A dtype or device differs.
    """
    devices = {value.device for value in values.values()}
    if len(devices) > 1:
        where = ", ".join(f"{name} on {value.device}" for name, value in values.items())
        raise ValueError(f"{op}: arguments on different devices ({where})")
    for name, value in values.items():
        if str(value.dtype) not in ("torch.float32", "torch.float64"):
            raise ValueError(f"{op}: {name} is {value.dtype}, needs float32 or float64")


def check_bool(op: str, **values: Tensor) -> None:
    """Require every value to be bool.

    Raises:
        ValueError: A dtype differs.
    """
    for name, value in values.items():
        if value.dtype != torch.bool:
            raise ValueError(f"{op}: {name} is {value.dtype}, needs bool")


def check_index(op: str, device: torch.device, **values: Tensor) -> None:
    """Require every value to be int64 on ``device``.

    Raises:
        ValueError: A dtype or device differs.
    """
    for name, value in values.items():
        if value.dtype != torch.int64 or value.device != device:
            have = f"{value.dtype} on {value.device}"
            raise ValueError(f"{op}: {name} is {have}, needs torch.int64 on {device}")


def single(value: Tensor) -> Tensor:
    """Half precision, as autocast hands it over, made float32; anything else as it is."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def check_table(op: str, points: Tensor, table: Tensor) -> None:
    """Require points and an encoding's table as operators take them; a table may be float16.

    Raises:
        ValueError: A dtype or device differs.
    """
    check_floating(op, points=points, table=points.new_empty(0, device=table.device))
    if table.dtype != torch.float16:
        check_floating(op, table=table)
