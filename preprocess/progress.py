"""One progress bar over all stages of a run, and the frame that is being worked on.

Stages differ a hundredfold in the time they take, so the bar runs over expected work, not over
stages: the share of each was measured on a clip of 71 s at 256 px. Only the shares matter, since
the estimate follows the machine's own speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

# The last step, which is no stage: it has no record and is made whenever a stage was.
REPORT = "report"
# Stage -> (expected share of the work, how often it walks through the frames).
_EXPECTED = {
    "ingest": (8.0, 2),
    "audio": (0.5, 1),
    "landmarks": (15.0, 1),
    "tracking": (20.0, 4),
    "expression": (0.2, 1),
    "parsing": (40.0, 1),
    "background": (2.5, 1),
    "torso": (18.0, 2),
    REPORT: (10.0, 1),
}
_UNKNOWN = (5.0, 1)


class Journey:
    """Where a run of the pipeline stands.

    Attributes:
        frame: The frame being worked on while a stage walks through frames, else None; a failure
            names it.
    """

    def __init__(self, stages: Iterable[str] = (), show: bool = False) -> None:
        """Start.

        Args:
            stages: Names of the stages that will run, in order.
            show: Whether a bar is drawn.
        """
        self.frame: int | None = None
        self._stages = list(stages)
        self._stage = ""
        self._passes = 0
        self._end = 0.0
        total = sum(_share(name) for name in self._stages)
        self._bar = tqdm(
            total=total,
            # Of the whole run: the pace of one stage says little about the next.
            smoothing=0,
            disable=not show,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}, about {remaining} left",
        )

    def enter(self, stage: str) -> None:
        """A stage begins."""
        self._stage, self._passes, self.frame = stage, 0, None
        self._end = float(self._bar.n) + _share(stage)
        self._bar.set_description_str(self._title(stage))

    def leave(self) -> None:
        """The stage is done, however much of it was foreseen."""
        self.frame = None
        self._move(self._end)

    def close(self) -> None:
        """Remove the bar's hold on the terminal."""
        self._bar.close()

    def follow(self, items: Iterable[Item], text: str, total: int | None) -> Iterator[Item]:
        """``items``, one per frame, while the bar moves.

        Args:
            items: What the stage walks through.
            text: What is done with them.
            total: How many there are, if known.
        """
        share, passes = _EXPECTED.get(self._stage, _UNKNOWN)
        start = self._end - share * max(1 - self._passes / passes, 0)
        step = share / passes / total if total and self._passes < passes else 0.0
        self._passes += 1
        self._bar.set_description_str(f"{self._title(self._stage)}: {text}")
        for index, item in enumerate(items):
            self.frame = index
            self._move(min(start + step * index, self._end))
            yield item
        self.frame = None

    def _title(self, stage: str) -> str:
        place = self._stages.index(stage) + 1 if stage in self._stages else 0
        return f"{place}/{len(self._stages)} {stage}"

    def _move(self, place: float) -> None:
        if place > self._bar.n:
            self._bar.update(place - self._bar.n)


def _share(stage: str) -> float:
    return _EXPECTED.get(stage, _UNKNOWN)[0]
