"""Timing of two ways of doing the same, and what the machine could do at best."""

import time
from dataclasses import dataclass

import torch

REPEATS = 7


def best_ms(actions, repeats=REPEATS):
    """Shortest of timed calls of each named action, milliseconds, after one untimed call.

    They take turns, and the shortest counts: other work on the machine disturbs both sides alike,
    and the least disturbed call says most about the code.
    """
    for action in actions.values():
        action()
    best = dict.fromkeys(actions, float("inf"))
    for _ in range(repeats):
        for name, action in actions.items():
            begun = time.perf_counter()
            action()
            best[name] = min(best[name], (time.perf_counter() - begun) * 1e3)
    return best


@dataclass(frozen=True)
class Row:
    """One line: times by name in milliseconds, the first being the yardstick.

    ``items`` of ``unit`` are done per call; ``bytes`` and ``flop`` are counted, not measured.
    """

    name: str
    times: dict[str, float]
    items: int = 0
    unit: str = ""
    bytes: float = 0.0
    flop: float = 0.0

    def ratio(self):
        """How much faster the last is than the first."""
        first, *_, last = self.times.values()
        return first / last

    def fastest(self):
        return list(self.times.values())[-1] / 1e3


@dataclass(frozen=True)
class Roofline:
    """Copy bandwidth in bytes/s and float32 matrix rate in FLOP/s, measured here and now."""

    bandwidth: float
    rate: float

    def share(self, row):
        """The floor of a row's time over its time; 0 where nothing was counted."""
        floor = max(row.bytes / self.bandwidth, row.flop / self.rate)
        return floor / row.fastest()


def roofline():
    source, target = torch.zeros(2**26), torch.zeros(2**26)
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = best_ms({"copy": lambda: target.copy_(source), "product": lambda: left @ right})
    return Roofline(2 * 4 * 2**26 / best["copy"] * 1e3, 2 * 1024**3 / best["product"] * 1e3)
