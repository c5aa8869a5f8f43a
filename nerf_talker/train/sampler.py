"""Which pixels a step looks at: many frames at once, weighted to the face and the mouth.

Peers take one frame a step and all pixels alike, so the mouth gets 1-2 % of the rays.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, model_validator
from torch import Tensor

from nerf_talker.config import StrictModel
from nerf_talker.data.dataset import Dataset
from nerf_talker.geometry.mesh import LIPS


class SamplerConfig(StrictModel):
    """Rays of a step, and the share of them in each region; what is left falls anywhere."""

    rays: int = Field(default=4096, gt=0)
    frames: int = Field(default=32, gt=0)
    head: float = Field(default=0.27, ge=0)
    face: float = Field(default=0.48, ge=0)
    mouth: float = Field(default=0.2, ge=0)

    @model_validator(mode="after")
    def _shares_fit(self) -> SamplerConfig:
        if self.head + self.face + self.mouth > 1:
            raise ValueError("head + face + mouth are shares of the rays, at most 1 together")
        return self


@dataclass(frozen=True)
class PixelBatch:
    """N pixels of B frames.

    Attributes:
        frames: (B,) int64 frame indices of the dataset.
        frame: (N,) int64 row of ``frames`` of each pixel.
        pixels: (N, 2) int64 row, column.
        rgb: (N, 3) colour in [0, 1].
        alpha: (N,) head matte in [0, 1].
        face: (N,) bool, pixels drawn from the face or mouth box.
    """

    frames: Tensor
    frame: Tensor
    pixels: Tensor
    rgb: Tensor
    alpha: Tensor
    face: Tensor

    def to(self, device: torch.device) -> PixelBatch:
        """The same batch on another device, which is not waited for."""
        values = (getattr(self, field.name) for field in fields(self))
        return PixelBatch(*(value.to(device, non_blocking=True) for value in values))


class PixelSampler:
    """Draws pixel batches from the valid training frames of a dataset."""

    def __init__(self, config: SamplerConfig, dataset: Dataset) -> None:
        self.config = config
        self.dataset = dataset
        train = np.asarray(dataset.manifest.range("train"))
        self.train = train[dataset.track.valid[train]]
        landmarks = dataset.track.landmarks[self.train, :, :2]
        size = dataset.manifest.size
        lips = landmarks[:, list(LIPS)]
        boxes = [
            self._head_boxes(size),
            _boxes(landmarks, 0.01 * size, size),
            _boxes(lips, 6 / 512 * size, size),
            np.broadcast_to(np.asarray([0, 0, size, size]), (len(self.train), 4)),
        ]
        # (4, F, 4) top, left, bottom, right of the head, face, mouth and whole picture.
        self.boxes = np.stack(boxes).astype(np.int64)

    def _head_boxes(self, size: int) -> npt.NDArray[np.int64]:
        boxes = np.zeros((len(self.train), 4), np.int64)
        margin = round(0.03 * size)
        for row, frame in enumerate(self.train):
            mask = np.asarray(self.dataset.head_alpha[frame]) > 16
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            if len(rows):
                boxes[row] = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
            else:
                boxes[row] = (0, 0, size, size)
        boxes += np.asarray([-margin, -margin, margin, margin])
        return boxes.clip(0, size)

    def draw(self, generator: torch.Generator, rays: int | None = None) -> PixelBatch:
        """A batch of ``rays`` (default: the config's) pixels, decided by ``generator`` alone."""
        config = self.config
        count = rays or config.rays
        chosen = torch.randint(len(self.train), (config.frames,), generator=generator).numpy()
        frame = torch.randint(config.frames, (count,), generator=generator).numpy()
        shares = torch.tensor(
            [config.head, config.face, config.mouth, 1 - config.head - config.face - config.mouth]
        )
        region = torch.multinomial(shares, count, True, generator=generator).numpy()
        place = torch.rand(count, 2, generator=generator).numpy()
        box = self.boxes[region, chosen[frame]]
        pixels = (box[:, :2] + place * (box[:, 2:] - box[:, :2])).astype(np.int64)
        frames = self.train[chosen]
        at = (frames[frame], pixels[:, 0], pixels[:, 1])
        return PixelBatch(
            torch.from_numpy(frames),
            torch.from_numpy(frame),
            torch.from_numpy(pixels),
            torch.from_numpy(self.dataset.frames[at]).float() / 255,
            torch.from_numpy(self.dataset.head_alpha[at]).float() / 255,
            torch.from_numpy((region == 1) | (region == 2)),
        )


def _boxes(points: npt.NDArray[np.float32], margin: float, size: int) -> npt.NDArray[np.int64]:
    """(F, 4) top, left, bottom, right around (F, K, 2) x, y points, at least one pixel large."""
    low = np.floor(points.min(1) - margin).astype(np.int64).clip(0, size - 1)
    high = np.ceil(points.max(1) + margin).astype(np.int64).clip(1, size)
    high = np.maximum(high, low + 1)
    return np.stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]], -1)
