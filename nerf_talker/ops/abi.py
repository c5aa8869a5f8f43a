"""The C functions of the native libraries: names, argument types, and how one is called.

A name such as ``triplane_encode`` stands for ``nt_triplane_encode_f32`` and ``_f64`` of the
processor's library, and for ``ntc_triplane_encode_f32`` of a CUDA one, which takes the device and
the stream after the same arguments.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nerf_talker.errors import BackendError

ABI = 2
"""NT_ABI of include/abi.h."""

# One letter an argument: p pointer, i int, l int64, r real of the function's dtype.
SIGNATURES = {
    "triplane_encode": "pppppiillp",
    "triplane_encode_backward": "ppppppiillpp",
    "grid_encode": "pppppiiiillp",
    "grid_encode_backward": "ppppppiiiillpp",
    "sh": "pilp",
    "sh_backward": "ppilp",
    "frequency": "piiilp",
    "frequency_backward": "ppiiilp",
    "ray_box": "ppplpp",
    "march_count": "ppppppppirlp",
    "march_write": "ppppppppirlppp",
    "march_packed": "ppppppppirllppppp",
    "render_weights": "pppllp",
    "render_weights_backward": "ppppllpp",
    "composite": "ppppllipp",
    "composite_backward": "ppppllippppppp",
    "distortion": "ppppllp",
    "distortion_backward": "pppppllp",
    "fused_render": "p",
    "field": "p",
    "field_backward": "p",
}

# The same on a table of 16-bit floats, in single precision only.
SIGNATURES |= {
    f"{name}_half": SIGNATURES[name]
    for name in (
        "triplane_encode",
        "triplane_encode_backward",
        "grid_encode",
        "grid_encode_backward",
    )
}

_REALS: dict[torch.dtype, tuple[str, Any]] = {
    torch.float32: ("f32", ctypes.c_float),
    torch.float64: ("f64", ctypes.c_double),
}

_FAULTS = {
    1: "ray_offsets points outside the samples",
    2: "a ray that hits has no finite far, or far more steps than memory holds",
    3: "a width this library was not built for, or a level of resolution below 2",
    4: "ray or frame names one that does not exist",
}


@dataclass
class NativeLibrary:
    """A loaded library.

    Attributes:
        name: The back-end it serves.
        path: Where it lies.
        prefix: ``nt`` for the processor's, ``ntc`` for CUDA's.
        dtypes: What it computes in.
    """

    name: str
    path: Path
    prefix: str = "nt"
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float64)
    _functions: dict[tuple[str, torch.dtype], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.handle = ctypes.CDLL(str(self.path))

    @property
    def multiplies_bfloat16(self) -> bool:
        """Whether the fused field has products of bfloat16 here."""
        return self.prefix == "nt" and bool(self.handle.nt_has_brain())

    def call(self, name: str, dtype: torch.dtype, *given: Any) -> None:
        """Call one function; tensors are passed by address and must be contiguous.

        Raises:
            BackendError: The function reports a fault.
        """
        function = self._functions.get((name, dtype)) or self._bind(name, dtype)
        arguments = [a.data_ptr() if isinstance(a, Tensor) else a for a in given]
        code = function(*arguments, *self._where(given))
        if code:
            raise BackendError(f"{name} ({self.name} back-end): {self._fault(code)}")

    def call_struct(self, name: str, address: Any, result: Tensor) -> None:
        """Call a function that takes one structure; ``result`` says on which device.

        Raises:
            BackendError: The function reports a fault.
        """
        self.call(name, result.dtype, address)

    def _bind(self, name: str, dtype: torch.dtype) -> Any:
        suffix, real = _REALS[dtype]
        kinds = {"p": ctypes.c_void_p, "i": ctypes.c_int, "l": ctypes.c_int64, "r": real}
        function = getattr(self.handle, f"{self.prefix}_{name}_{suffix}")
        tail = [ctypes.c_int, ctypes.c_void_p] if self.prefix == "ntc" else []
        function.argtypes = [kinds[letter] for letter in SIGNATURES[name]] + tail
        function.restype = ctypes.c_int
        self._functions[name, dtype] = function
        return function

    def _where(self, given: tuple[Any, ...]) -> tuple[int, int | None] | tuple[()]:
        """Device and stream for a CUDA library."""
        if self.prefix != "ntc":
            return ()
        device = next(value.device for value in given if isinstance(value, Tensor))
        if device.type != "cuda":
            return 0, None
        return device.index or 0, torch.cuda.current_stream(device).cuda_stream

    def _fault(self, code: int) -> str:
        if self.prefix == "nt":
            return _FAULTS.get(code, f"code {code}")
        return f"CUDA error {code}"
