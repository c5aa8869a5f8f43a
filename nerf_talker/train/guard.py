"""What can go wrong within a step, and telling one from another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PATIENCE = 3
"""Faults in a row, each met with half the learning rate, before a run gives up."""

EMPTY_OPACITY = 0.15
"""A head whose face is less opaque than this after the steps below was never found."""

EMPTY_CHECK_STEP = 500
FEWEST_RAYS = 256


class NonFiniteStep(Exception):
    """A step met numbers that are not finite; ``what`` names them and the frames."""

    def __init__(self, what: str) -> None:
        """``what`` is the middle of a sentence."""
        super().__init__(what)
        self.what = what


class EmptyScene(Exception):
    """No head appeared; ``opacity`` is the mean in the face."""

    def __init__(self, opacity: float) -> None:
        """``opacity`` in [0, 1]."""
        super().__init__(f"opacity {opacity:.2f}")
        self.opacity = opacity


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or here."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    # The processor's allocator raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def finite_gradients(parameters: list[nn.Parameter]) -> bool:
    """Whether the gradients of all parameters are finite."""
    sums = [p.grad.sum() for p in parameters if p.grad is not None]
    return not sums or bool(torch.isfinite(torch.stack(sums)).all())


def finite_weights(module: nn.Module) -> bool:
    """Whether all parameters are finite."""
    return all(bool(torch.isfinite(value).all()) for value in module.parameters())


def faulty_frames(frames: Tensor, frame: Tensor, errors: Tensor) -> list[int]:
    """The frames (B,) with rays (N,) whose error (N,) is not finite; all when none stands out."""
    bad = frames[frame[~torch.isfinite(errors)]]
    return sorted(set((bad if len(bad) else frames).tolist()))
