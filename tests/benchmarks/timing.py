"""Timing of several ways of doing the same, and one line of the result."""

import time
from dataclasses import dataclass

import torch

REPEATS = 7


def best_ms(actions, repeats=None):
    """Shortest of timed calls of each named action, milliseconds, after one untimed call.

    They take turns, and the shortest counts: other work on the machine disturbs both sides alike,
    and the least disturbed call says most about the code.
    """
    for action in actions.values():
        action()
    best = dict.fromkeys(actions, float("inf"))
    for _ in range(repeats or REPEATS):
        for name, action in actions.items():
            settle()
            begun = time.perf_counter()
            action()
            settle()
            best[name] = min(best[name], (time.perf_counter() - begun) * 1e3)
    return best


def settle():
    """Wait for what a GPU was told to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@dataclass(frozen=True)
class Row:
    """One line: times by name in milliseconds, ours last, yardsticks before it.

    ``items`` of ``unit`` are done per call. What no implementation can do without is counted, not
    measured: ``bytes`` from and to memory, ``flop``, and ``gathers``, reads of table entries at
    places that follow no order. ``dtype`` is the type of the matrices.
    """

    name: str
    times: dict[str, float]
    items: int
    unit: str
    bytes: float
    flop: float
    gathers: float = 0
    dtype: str = "float32"
    note: str = ""

    def ours(self):
        """Name and milliseconds of the last."""
        return list(self.times.items())[-1]

    def ratio(self, yardstick):
        """How much faster ours is; None where that was not timed."""
        name, took = self.ours()
        other = self.times.get(yardstick)
        return None if other is None or name == yardstick else other / took

    def per_second(self, count):
        return count / self.ours()[1] * 1e3
