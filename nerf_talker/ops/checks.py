"""Argument checks shared by the operators: name the argument, what it had, what it needs."""

from __future__ import annotations

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
