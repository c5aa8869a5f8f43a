"""What one video shows, frame by frame: motion, sharpness and liveliness, without its pixels.

What stays of a frame are its landmarks and some numbers, about 6 KB; pixels only enter sums.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nerf_talker.evaluate.boxes import Boxes, crop
from nerf_talker.evaluate.lips import Series, jitter
from nerf_talker.evaluate.metrics.activity import Activity
from nerf_talker.evaluate.metrics.cpbd import cpbd
from nerf_talker.evaluate.metrics.identity import face_crop
from nerf_talker.evaluate.metrics.sharpness import box_mean, gradient_energy
from nerf_talker.evaluate.networks import Networks
from nerf_talker.evaluate.readers import Reading
from nerf_talker.geometry.mesh import NOSE_BRIDGE, POINTS
from nerf_talker.types import ByteArray

Arrays = dict[str, npt.NDArray[np.generic]]

SLOW_EVERY = 5
"""Figures that need a network, and CPBD, are taken on every fifth frame, first frame included."""

CPBD_REGIONS = ("frame", "face")
BLENDSHAPES = 52


@dataclass
class Film:
    """Gathered while the frames of one video stream by.

    Attributes:
        gaps: Lip gap per frame, NaN without a face.
        points: (478, 3) landmarks in pixels per frame, NaN without a face or a depth.
        blendshapes: (52,) scores per frame, NaN without.
        columns: Numbers per frame by ``figure.region``, NaN where a frame has none.
        activity: Sums over time for the region activity.
        features: (D,) vectors for FID, of every fifth frame.
        embeddings: (D,) of the face, of every fifth frame; NaN without a face.
    """

    gaps: list[float] = field(default_factory=list)
    points: list[npt.NDArray[np.float32]] = field(default_factory=list)
    blendshapes: list[npt.NDArray[np.float32]] = field(default_factory=list)
    columns: dict[str, list[float]] = field(default_factory=dict)
    activity: Activity = field(default_factory=Activity)
    features: list[npt.NDArray[np.float32]] = field(default_factory=list)
    embeddings: list[npt.NDArray[np.float32]] = field(default_factory=list)

    def add(
        self,
        picture: ByteArray,
        reading: Reading | None,
        boxes: Boxes,
        networks: Networks,
        slow: bool,
    ) -> None:
        """Take in one (H, W, 3) uint8 frame.

        Args:
            picture: The frame.
            reading: What the lip reader saw in it.
            boxes: Regions of the true frame.
            networks: What looks at pictures.
            slow: Whether this is a frame for the figures that are not taken on every frame.
        """
        self._add_reading(reading)
        energy = gradient_energy(picture)
        for region, box in boxes.items():
            self.note(f"energy.{region}", box_mean(energy, box))
        self.activity.add(picture)
        if not slow:
            return
        for region in CPBD_REGIONS:
            if region in boxes:
                self.note(f"cpbd.{region}", cpbd(crop(picture, boxes[region])))
        if networks.brisque is not None:
            self.note("brisque.frame", networks.brisque(picture))
        if networks.fid is not None:
            self.features.append(networks.fid(picture))
        if networks.identity is not None:
            known = reading is not None and reading.landmarks is not None
            self.embeddings.append(
                networks.identity(face_crop(picture, reading.landmarks))  # type: ignore[union-attr, arg-type]
                if known
                else np.full(1, np.nan, np.float32)
            )

    def _add_reading(self, reading: Reading | None) -> None:
        self.gaps.append(np.nan if reading is None else reading.lip_gap)
        points = np.full((POINTS, 3), np.nan, np.float32)
        if reading is not None and reading.landmarks is not None:
            points[:, : reading.landmarks.shape[1]] = reading.landmarks
        self.points.append(points)
        scores = None if reading is None else reading.blendshapes
        self.blendshapes.append(
            np.full(BLENDSHAPES, np.nan, np.float32) if scores is None else scores
        )

    def note(self, column: str, value: float) -> None:
        """Write one number of the newest frame into a column."""
        values = self.columns.setdefault(column, [])
        values.extend([np.nan] * (len(self.gaps) - 1 - len(values)))
        values.append(value)

    def column(self, name: str) -> Series:
        """(T,) numbers of a column, NaN where a frame has none."""
        values = np.full(len(self.gaps), np.nan)
        known = self.columns.get(name, [])
        values[: len(known)] = known
        return values

    def newest(self, name: str) -> float:
        """The newest frame's number in a column, NaN where it has none."""
        values = self.columns.get(name, [])
        return values[-1] if values and len(values) == len(self.gaps) else float("nan")

    def landmarks(self) -> npt.NDArray[np.float32]:
        """(T, 478, 3) landmarks in pixels."""
        return np.array(self.points, np.float32).reshape(-1, POINTS, 3)

    def scores(self) -> npt.NDArray[np.float32]:
        """(T, 52) blendshape scores."""
        return np.array(self.blendshapes, np.float32).reshape(-1, BLENDSHAPES)

    def gap_series(self) -> Series:
        """(T,) lip gap."""
        return np.array(self.gaps, np.float64)

    def jitter(self, width: int) -> float | None:
        """See :func:`nerf_talker.evaluate.lips.jitter`, of the nose bridge."""
        return jitter(self.landmarks()[:, NOSE_BRIDGE, :2].astype(np.float64), width)

    def to_arrays(self, prefix: str) -> Arrays:
        """All of it as arrays whose names begin with ``prefix``, for an npz file."""
        arrays: Arrays = {
            "gaps": self.gap_series(),
            "points": self.landmarks(),
            "blendshapes": self.scores(),
            "features": np.array(self.features, np.float32),
            "embeddings": np.array(_rectangular(self.embeddings), np.float32),
            "activity.count": np.array(self.activity.count),
        }
        if self.activity.total is not None and self.activity.square is not None:
            arrays["activity.total"] = self.activity.total
            arrays["activity.square"] = self.activity.square
        arrays |= {f"column.{name}": self.column(name) for name in self.columns}
        return {f"{prefix}{name}": value for name, value in arrays.items()}

    def extend(self, arrays: Arrays, prefix: str) -> None:
        """Append what :meth:`to_arrays` of the frames that follow gave."""
        before = len(self.gaps)
        part = {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}
        self.gaps.extend(part["gaps"].tolist())
        self.points.extend(part["points"])
        self.blendshapes.extend(part["blendshapes"])
        self.features.extend(part["features"])
        self.embeddings.extend(part["embeddings"])
        if "activity.total" in part:
            count = int(part["activity.count"])
            self.activity.merge(count, part["activity.total"], part["activity.square"])  # type: ignore[arg-type]
        for name in (k[len("column.") :] for k in part if k.startswith("column.")):
            values = self.columns.setdefault(name, [])
            values.extend([np.nan] * (before - len(values)))
            values.extend(part[f"column.{name}"].tolist())


def _rectangular(rows: list[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
    """Rows of one length: frames without a face carry a single NaN until the length is known."""
    width = max((len(row) for row in rows), default=0)
    return [row if len(row) == width else np.full(width, np.nan, np.float32) for row in rows]
