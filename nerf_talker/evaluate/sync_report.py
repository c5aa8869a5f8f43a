"""What the lip-sync expert says, in the words of ``report.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from nerf_talker.evaluate.schema import SyncInfo
from nerf_talker.evaluate.sync_curve import LAG_AXIS, SyncCurve

EXPERT = "nerf-talker expert"
"""What every output calls it; LSE-C and LSE-D are SyncNet's alone."""


class SyncFigures(TypedDict):
    """The figures of one row; see :class:`nerf_talker.evaluate.schema.Metrics`."""

    sync_offset_frames: int | None
    sync_confidence: float | None
    sync_distance: float | None


class LseFigures(TypedDict):
    """SyncNet's figures of one row; see :class:`nerf_talker.evaluate.schema.Metrics`."""

    lse_offset_frames: int | None
    lse_c: float | None
    lse_d: float | None


@dataclass(frozen=True)
class LseVerdict:
    """What the user's SyncNet says.

    Attributes:
        curves: By row, the truth's among them; empty where nothing could be judged.
        missing: Why there are none.
    """

    curves: Mapping[str, SyncCurve]
    missing: str | None = None

    def figures(self, row: str) -> LseFigures:
        """The ``lse_*`` figures of a row, for its metrics."""
        curve = self.curves.get(row)
        return {
            "lse_offset_frames": None if curve is None else curve.offset,
            "lse_c": None if curve is None else curve.confidence,
            "lse_d": None if curve is None else curve.distance,
        }


NO_LSE = LseVerdict({}, "no SyncNet checkpoint was given (--syncnet)")


@dataclass(frozen=True)
class SyncVerdict:
    """The curves of one evaluation.

    Attributes:
        curves: By row, the truth's among them; empty where nothing could be judged.
        missing: Why there are none.
    """

    curves: Mapping[str, SyncCurve]
    missing: str | None = None

    def figures(self, row: str) -> SyncFigures:
        """The ``sync_*`` figures of a row, for its metrics."""
        curve = self.curves.get(row)
        return {
            "sync_offset_frames": None if curve is None else curve.offset,
            "sync_confidence": None if curve is None else curve.confidence,
            "sync_distance": None if curve is None else curve.distance,
        }

    def info(self) -> SyncInfo | None:
        """The expert's name and its whole curves; None where nothing could be judged."""
        if not self.curves:
            return None
        return SyncInfo(
            expert=EXPERT,
            lags=LAG_AXIS.tolist(),
            distances={row: curve.distances.tolist() for row, curve in self.curves.items()},
        )


NO_VERDICT = SyncVerdict(
    {}, "no lip-sync expert: it is learned from a dataset, or --sync-expert names it"
)
