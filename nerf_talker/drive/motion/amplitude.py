"""How much the head, the brows and the lips move, around what is usual for the person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nerf_talker.drive.motion.chart import PoseChart, body_channels
from nerf_talker.drive.motion.mouth import LipOpening
from nerf_talker.drive.source import DrivingSource, WrappedSource
from nerf_talker.types import Driving

BROWS = slice(0, 5)


class HeadAmplitude(WrappedSource):
    """A source whose head and body move more or less about the clip's mean."""

    def __init__(self, base: DrivingSource, reference: Driving, factor: float) -> None:
        """``factor`` 0 holds still, 1 changes nothing."""
        super().__init__(base)
        self.factor = factor
        self.chart = PoseChart(reference.camera_to_head)
        self.means = {k: v.mean(0) for k, v in body_channels(reference).items()}

    def chunk(self, start: int, stop: int) -> Driving:
        """The base's frames [start, stop) with scaled motion."""
        driving = self.base.chunk(start, stop)
        poses = self.chart.coordinates(driving.camera_to_head)
        scaled = self.chart.mean + self.factor * (poses - self.chart.mean)
        body: dict[str, Any] = {
            name: self.means[name] + self.factor * (value - self.means[name])
            for name, value in body_channels(driving).items()
            if name in self.means
        }
        return replace(driving, camera_to_head=self.chart.poses(scaled), **body)


class FaceAmplitude(WrappedSource):
    """A source whose brows and lips move more or less."""

    def __init__(
        self,
        base: DrivingSource,
        reference: Driving,
        lips: LipOpening,
        brows: float,
        opening: float,
    ) -> None:
        """``brows`` about their mean in the clip, ``opening`` from the closed mouth; 1 is as is."""
        super().__init__(base)
        self.lips, self.brows, self.opening = lips, brows, opening
        self.usual = reference.expression.mean(0)

    def chunk(self, start: int, stop: int) -> Driving:
        """The base's frames [start, stop) with scaled brows and lips."""
        driving = self.base.chunk(start, stop)
        if self.brows != 1:
            driving = replace(driving, expression=self._brows(driving.expression))
        if self.opening != 1:
            driving = self.lips.scaled(driving, self.opening)
        return driving

    def _brows(self, expression: Tensor) -> Tensor:
        usual = self.usual[BROWS]
        moved = (usual + self.brows * (expression[:, BROWS] - usual)).clamp(0, 1)
        return torch.cat([moved, expression[:, BROWS.stop :]], 1)
