"""How well frames outside the training range are explained while a run goes on."""

from __future__ import annotations

import numpy as np
import torch

from nerf_talker.data.dataset import Dataset
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.render.renderer import render_rays
from nerf_talker.render.talker import Talker
from nerf_talker.train.driving import Drive, dataset_driving
from nerf_talker.train.pictures import Pictures
from nerf_talker.train.regions import region_boxes
from nerf_talker.train.unmixing import own_colours

FRAMES, RAYS = 16, 4096
MOUTH_SHARE = 0.4
_SEED = 20


class Validation:
    """Fixed pixels of face and mouth in the validation range.

    A head that learns from landmarks and sound is judged by landmarks: what sound does not tell
    would hide how well it draws.
    """

    def __init__(self, dataset: Dataset, unmix: bool = False, drive: Drive = "landmarks") -> None:
        """Choose the pixels; the choice is the same in every run on this dataset.

        Args:
            dataset: With a face in the validation range.
            unmix: Whether the head is to have its own colour where it covers a part of a pixel.
            drive: What the head's mouth code comes from.
        """
        self.unmix = unmix
        val = np.asarray(dataset.manifest.range("val"))
        seen = val[dataset.track.valid[val]]
        self.frames = seen[np.unique(np.linspace(0, len(seen) - 1, FRAMES).astype(int))]
        boxes = region_boxes(dataset, self.frames)
        generator = np.random.default_rng(_SEED)
        self.frame = generator.integers(len(self.frames), size=RAYS)
        mouth = generator.random(RAYS) < MOUTH_SHARE
        box = np.where(mouth[:, None], boxes["mouth"][self.frame], boxes["face"][self.frame])
        place = generator.random((RAYS, 2))
        self.pixels = (box[:, :2] + place * (box[:, 2:] - box[:, :2])).astype(np.int64)
        self.driving = dataset_driving(dataset, self.frames.tolist(), drive)
        self.rgb, self.alpha = Pictures(dataset).at(self.frames[self.frame], self.pixels)

    @classmethod
    def where_possible(cls, dataset: Dataset, unmix: bool, drive: Drive) -> Validation | None:
        """A validation, or None where no frame of the range shows a face."""
        val = np.asarray(dataset.manifest.range("val"))
        return cls(dataset, unmix, drive) if dataset.track.valid[val].any() else None

    @torch.no_grad()
    def psnr(self, talker: Talker, autocast: torch.dtype | None) -> float:
        """Peak signal-to-noise ratio in dB over a grey background."""
        device = talker.background.device
        driving = self.driving.to(device)
        pixels = torch.from_numpy(self.pixels).to(device)
        frame = torch.from_numpy(self.frame).to(device)
        bounds = talker.occupancy.bounds()
        rays = pixel_rays(talker.camera, driving.camera_to_head, pixels, frame, bounds)
        jitter = torch.full_like(rays.near, 0.5)
        with torch.autocast(device.type, autocast, enabled=autocast is not None):
            out = render_rays(talker, rays, talker.condition(driving), jitter)
        rgb, alpha = self.rgb.to(device), self.alpha.to(device)
        if self.unmix:
            rgb = own_colours(talker, driving, frame, pixels, rgb, alpha)
        target = rgb * alpha[:, None] + 0.5 * (1 - alpha[:, None])
        predicted = out.rgb + 0.5 * (1 - out.opacity[:, None])
        error = (predicted.clamp(0, 1) - target).square().mean()
        return float(-10 * error.clamp_min(1e-10).log10())
