"""A lip reader without a face model: regression from the mouth's picture to the lip gap.

Fitted on the dataset's own training frames: the mouth is cut out at a fixed place relative to
points that speech does not move (eye corners and nose ridge), made grey and small, projected on
principal components, and mapped to the track's lip gap by ridge regression. The cut-out never
depends on the lips, so the truth's mouth shape cannot leak into the reading of a prediction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nerf_talker.errors import DatasetError
from nerf_talker.evaluate.lips import Series
from nerf_talker.evaluate.readers import FrameReader, Reading
from nerf_talker.evaluate.ridge import Ridge
from nerf_talker.geometry.headshape import similarity
from nerf_talker.geometry.mesh import LIPS, lip_gap
from nerf_talker.types import ByteArray, FloatArray

if TYPE_CHECKING:
    from nerf_talker.data.dataset import Dataset

STEADY_POINTS = np.array([33, 133, 362, 263, 168, 6, 197, 195, 5])
"""Eye corners and nose ridge: what stays when one speaks."""

HEIGHT, WIDTH = 24, 32
"""Pixels of the small mouth picture: the inner lips' edge moves about 5 of them in speech."""

MARGIN = 0.35
"""Part of the mean mouth box added on each side, so that an open mouth stays inside."""


@dataclass(frozen=True)
class MouthPlace:
    """Where the mouth is in each frame, from points that do not move with the lips.

    Attributes:
        landmarks: (F, 478, 2) pixels, the clip's track.
        steady: (P, 2) mean steady points, where each frame's are moved to.
        corner: (2,) upper left corner of the mouth's place beside ``steady``.
        extent: (2,) width and height of that place.
    """

    landmarks: FloatArray
    steady: Series
    corner: Series
    extent: Series

    @classmethod
    def learn(cls, landmarks: FloatArray, train: list[int]) -> MouthPlace:
        """The mean mouth box of the training frames, widened by :data:`MARGIN`."""
        steady = landmarks[train][:, STEADY_POINTS].mean(0).astype(np.float64)
        lows, highs = [], []
        for points in landmarks[train]:
            move = _move(points[STEADY_POINTS], steady)
            lips = points[list(LIPS)] @ move[:, :2].T + move[:, 2]
            lows.append(lips.min(0))
            highs.append(lips.max(0))
        low, high = np.mean(lows, axis=0), np.mean(highs, axis=0)
        margin = MARGIN * (high - low)
        return cls(landmarks, steady, low - margin, high - low + 2 * margin)

    def small(self, picture: ByteArray, frame: int) -> Series:
        """(HEIGHT * WIDTH,) grey mouth in [0, 1] of an (H, W, 3) uint8 picture of ``frame``."""
        import cv2

        zoom = np.array([WIDTH, HEIGHT]) / self.extent
        matrix = zoom[:, None] * _move(self.landmarks[frame, STEADY_POINTS], self.steady)
        matrix[:, 2] -= zoom * self.corner
        grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
        cut = cv2.warpAffine(
            grey, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(cut, np.float64).reshape(-1) / 255


class CropReader:
    """The fitted regression as a reader of videos of one clip."""

    name = "crop regression"

    def __init__(self, place: MouthPlace, regression: Ridge, reason: str) -> None:
        self.place = place
        self.regression = regression
        self.missing_landmarks: str | None = reason

    @classmethod
    def fit(cls, dataset: Dataset, reason: str) -> CropReader:
        """Fit on the training frames whose landmarks are valid.

        Args:
            dataset: The dataset to be evaluated.
            reason: Why no face model is at hand, for the report.

        Raises:
            DatasetError: No training frame shows a face.
        """
        train = [k for k in dataset.manifest.range("train") if dataset.track.valid[k]]
        if not train:
            raise DatasetError(
                f"{dataset.root}: no training frame shows a face, so lips cannot be read; "
                "run 'nerf-talker preprocess' again"
            )
        landmarks = np.asarray(dataset.track.landmarks[:, :, :2], np.float32)
        place = MouthPlace.learn(landmarks, train)
        pictures = np.stack([place.small(dataset.frames[k], k) for k in train])
        return cls(place, Ridge.fit(pictures, lip_gap(landmarks[train])), reason)

    def read(self, picture: ByteArray, frame: int) -> Reading | None:
        """The lip gap of an (H, W, 3) uint8 picture of clip frame ``frame``."""
        gap = float(self.regression(self.place.small(picture, frame)))
        return Reading(max(gap, 0.0), None)

    @contextmanager
    def video(self) -> Iterator[FrameReader]:
        """The reader itself: it keeps no state between frames."""
        yield self


def _move(source: FloatArray, target: Series) -> Series:
    """(2, 3) matrix of the similarity that moves (P, 2) ``source`` on ``target``."""
    scale, rotation, shift = similarity(source, target)
    return np.concatenate([scale * rotation, shift[:, None]], 1)
