"""Which pixels a step looks at: many frames at once, weighted to the face and the mouth.

Peers take one frame a step and all pixels alike, so the mouth gets 1-2 % of the rays.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import ceil

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, model_validator
from torch import Tensor

from nerf_talker.config import StrictModel
from nerf_talker.data.dataset import Dataset
from nerf_talker.train.balance import BalancedFrames
from nerf_talker.train.error_map import ErrorMap
from nerf_talker.train.pictures import Pictures
from nerf_talker.train.regions import Boxes, region_boxes


class SamplerConfig(StrictModel):
    """Rays of a step, and the share of them in each region; what is left falls anywhere.

    ``errors`` is the share that falls where the frame's running error is large, whatever moved its
    mouth. ``balanced`` is the share of the frames that are drawn evenly over how far eyes are shut
    and lips are open.
    """

    rays: int = Field(default=4096, gt=0)
    frames: int = Field(default=32, gt=0)
    balanced: float = Field(default=0.25, ge=0, le=1)
    head: float = Field(default=0.27, ge=0)
    face: float = Field(default=0.43, ge=0)
    mouth: float = Field(default=0.2, ge=0)
    eyes: float = Field(default=0.05, ge=0)
    hair: float = Field(default=0.0, ge=0)
    errors: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _shares_fit(self) -> SamplerConfig:
        if self.head + self.face + self.mouth + self.eyes + self.hair + self.errors > 1 + 1e-9:
            raise ValueError(
                "head + face + mouth + eyes + hair + errors are shares of the rays, "
                "at most 1 together"
            )
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
        speaks: (N,) bool, pixels from below the eyes down: what a mouth may change.
        looks: (N,) bool, pixels of the face above its lower part: what lids and brows may change.
        patches: P and S, when the last P * S * S pixels are P square patches, row by row.
    """

    frames: Tensor
    frame: Tensor
    pixels: Tensor
    rgb: Tensor
    alpha: Tensor
    face: Tensor
    speaks: Tensor
    looks: Tensor
    patches: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.frame)

    def to(self, device: torch.device) -> PixelBatch:
        """The same batch on another device, which is not waited for."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {k: v.to(device, non_blocking=True) for k, v in values.items() if k != "patches"}
        return replace(self, **moved)

    def with_patches(self, other: PixelBatch) -> PixelBatch:
        """These pixels, then the patches of ``other``."""
        joined = {
            field.name: torch.cat([getattr(self, field.name), getattr(other, field.name)])
            for field in fields(self)
            if field.name not in ("frame", "patches")
        }
        frame = torch.cat([self.frame, other.frame + len(self.frames)])
        return PixelBatch(frame=frame, patches=other.patches, **joined)

    def patch_pixels(self) -> int:
        """How many of the pixels belong to patches."""
        count, size = self.patches
        return count * size * size


class PixelSampler:
    """Draws pixel batches from the valid training frames of a dataset."""

    def __init__(self, config: SamplerConfig, dataset: Dataset) -> None:
        """Find the regions of every training frame."""
        self.config = config
        self.pictures = Pictures(dataset)
        train = np.asarray(dataset.manifest.range("train"))
        self.train = train[dataset.track.valid[train]]
        self.size = size = dataset.manifest.size
        found = region_boxes(dataset, self.train)
        self.parts = np.stack([found["eyes"], found["lower"], found["face"]])
        whole = np.broadcast_to(np.asarray([0, 0, size, size]), (len(self.train), 4))
        boxes = [found["head"], found["face"], found["mouth"], whole, found["eyes"], found["hair"]]
        # (6, F, 4) top, left, bottom, right of head, face, mouth, whole picture, eyes and hair.
        self.boxes = np.stack(boxes).astype(np.int64)
        self.balance = BalancedFrames.of(dataset, self.train)
        self.errors = ErrorMap(len(self.train), size) if config.errors else None

    def shares(self) -> Tensor:
        """The share of each region in the order of ``boxes``, then that of the error map."""
        config = self.config
        more = [config.eyes, config.hair, config.errors]
        first = [config.head, config.face, config.mouth]
        # Regions that nobody asked for do not enter the draw, which stays what it was.
        return torch.tensor(
            [*first, max(1 - sum(first) - sum(more), 0.0), *(more if any(more) else [])]
        )

    def draw(self, generator: torch.Generator, rays: int | None = None) -> PixelBatch:
        """A batch of ``rays`` (default: the config's) pixels, decided by ``generator`` alone."""
        config = self.config
        count = rays or config.rays
        chosen = torch.randint(len(self.train), (config.frames,), generator=generator).numpy()
        balanced = ceil(config.balanced * config.frames)
        chosen[:balanced] = self.balance.draw(balanced, generator)
        frame = torch.randint(config.frames, (count,), generator=generator).numpy()
        region = torch.multinomial(self.shares(), count, True, generator=generator).numpy()
        place = torch.rand(count, 2, generator=generator).numpy()
        box = self.boxes[np.minimum(region, len(self.boxes) - 1), chosen[frame]]
        if self.errors is not None:
            wrong = np.flatnonzero(region == len(self.boxes))
            box[wrong] = self.errors.boxes(chosen[frame[wrong]], generator)
        pixels = (box[:, :2] + place * (box[:, 2:] - box[:, :2])).astype(np.int64)
        return self._batch(chosen, frame, pixels, (region == 1) | (region == 2))

    def patches(
        self, count: int, size: int, everywhere: bool, generator: torch.Generator
    ) -> PixelBatch:
        """``count`` squares of ``size`` pixels around places in the mouth, or anywhere in the face.

        A square is no larger than the picture and never leaves it.
        """
        size = min(size, self.size)
        chosen = torch.randint(len(self.train), (count,), generator=generator).numpy()
        place = torch.rand(count, 2, generator=generator).numpy()
        box = self.boxes[1 if everywhere else 2, chosen]
        middle = box[:, :2] + place * (box[:, 2:] - box[:, :2])
        corner = np.clip(np.round(middle - size / 2).astype(np.int64), 0, self.size - size)
        steps = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1)
        pixels = (corner[:, None] + steps.reshape(1, -1, 2)).reshape(-1, 2)
        frame = np.arange(count).repeat(size * size)
        batch = self._batch(chosen, frame, pixels, np.ones(len(frame), bool))
        return replace(batch, patches=(count, size))

    def learn_errors(self, batch: PixelBatch, errors: Tensor) -> None:
        """Let the error map remember the (N,) errors of a batch."""
        if self.errors is not None:
            rows = np.searchsorted(self.train, batch.frames.cpu().numpy())
            at = rows[batch.frame.cpu().numpy()]
            self.errors.learn(at, batch.pixels.cpu().numpy(), errors.cpu().numpy())

    def _batch(
        self,
        chosen: npt.NDArray[np.int64],
        frame: npt.NDArray[np.int64],
        pixels: npt.NDArray[np.int64],
        face: npt.NDArray[np.bool_],
    ) -> PixelBatch:
        frames = self.train[chosen]
        rgb, alpha = self.pictures.at(frames[frame], pixels)
        eyes, lower, whole = self.parts[:, chosen[frame]]
        speaks = pixels[:, 0] >= eyes[:, 2]
        looks = _inside(pixels, whole) & ~_inside(pixels, lower)
        return PixelBatch(
            torch.from_numpy(frames),
            torch.from_numpy(frame),
            torch.from_numpy(pixels),
            rgb,
            alpha,
            torch.from_numpy(face),
            torch.from_numpy(speaks),
            torch.from_numpy(looks),
        )


def _inside(pixels: npt.NDArray[np.int64], boxes: Boxes) -> npt.NDArray[np.bool_]:
    """(N,) which of (N, 2) pixels lie in their (N, 4) boxes."""
    within = (pixels >= boxes[:, :2]) & (pixels < boxes[:, 2:])
    return np.asarray(within.all(1), bool)
