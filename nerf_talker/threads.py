"""Work whose sums are to have one order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread: the same bits however many cores a machine has.

    Small factorisations also wait for nobody then: with two threads beside other work one took
    eighteen times as long (measured).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
