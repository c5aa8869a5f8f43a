"""The whole picture: head over torso over background, one path for training previews and videos."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nerf_talker.field.head import HeadCondition
from nerf_talker.geometry.cameras import image_pixels, pixel_rays
from nerf_talker.render.fused import FusedRenderer, folded_head
from nerf_talker.render.renderer import render_rays
from nerf_talker.render.talker import Talker
from nerf_talker.types import Camera, Driving, FigureFrame, FloatArray, PortraitFrame

# Rays per chunk: about 60k samples, 60 MB of activations.
CHUNK = 8_192


class PortraitRenderer:
    """Renders driven frames of one talker at the resolution of its camera, or at another."""

    def __init__(
        self,
        talker: Talker,
        autocast: torch.dtype | None = None,
        size: int | None = None,
        figure: bool = False,
    ) -> None:
        """Prepare what all frames share.

        Args:
            talker: Whom to render.
            autocast: Dtype of the head's networks, None for float32. Where the native library
                renders in one call it does so in float32 all the same.
            size: Width of the pictures in pixels; None for the camera's own.
            figure: Keep the picture without its background too, as :class:`FigureFrame`.
        """
        self.talker = talker.eval()
        self.autocast, self.figure = autocast, figure
        camera = talker.camera if size is None else talker.camera.scaled(size)
        self.camera, self.background = camera, _resized(talker.background, camera)
        device = talker.background.device
        self.pixels = image_pixels(camera.height, camera.width).to(device)
        extent = torch.tensor([camera.width, camera.height], device=device)
        self.points = (self.pixels.flip(-1) + 0.5) / extent
        self.bounds = talker.occupancy.bounds()
        self.fused = FusedRenderer.of(talker)

    @torch.no_grad()
    def frames(self, driving: Driving) -> Iterator[PortraitFrame]:
        """Render the T frames of ``driving`` one after the other, in constant memory."""
        condition = self.talker.condition(driving)
        for row in range(len(driving)):
            yield self._frame(driving, condition, row)

    @torch.no_grad()
    def torso_driven(self, portrait: PortraitFrame, driving: Driving, row: int) -> FloatArray:
        """(H, W, 3) a portrait's head over the torso that a row of ``driving`` moves."""
        colour, alpha = self._torso(driving, row)
        behind = _array(self._over_background(colour, alpha)).reshape(portrait.rgb.shape)
        rgb = portrait.head_rgb + (1 - portrait.head_opacity[..., None]) * behind
        return np.clip(rgb, 0, 1)

    def _frame(self, driving: Driving, condition: HeadCondition, row: int) -> PortraitFrame:
        camera = self.camera
        head, opacity = self.head(driving.camera_to_head, condition, row)
        colour, alpha = self._torso(driving, row)
        rgb = head + (1 - opacity[:, None]) * self._over_background(colour, alpha)
        shape = (camera.height, camera.width)
        parts = (
            _array(rgb.clamp(0, 1)).reshape(*shape, 3),
            _array(head).reshape(*shape, 3),
            _array(opacity).reshape(shape),
        )
        if not self.figure:
            return PortraitFrame(*parts)
        through = (1 - opacity[:, None]) * alpha[:, None]
        figure = torch.cat([head + through * colour, opacity[:, None] + through], -1)
        return FigureFrame(*parts, figure=_array(figure.clamp(0, 1)).reshape(*shape, 4))

    def _torso(self, driving: Driving, row: int) -> tuple[Tensor, Tensor]:
        """(P, 3) colour and (P,) opacity of the torso."""
        pose, motion = driving.camera_to_head[row : row + 1], driving.torso_motion[row : row + 1]
        bend = None if driving.torso_bend is None else driving.torso_bend[row : row + 1]
        colour, alpha = self.talker.torso(self.points, pose, motion, bend)
        return colour, alpha

    def _over_background(self, colour: Tensor, alpha: Tensor) -> Tensor:
        """(P, 3) the torso over the background."""
        background = self.background.reshape(-1, 3)
        return colour * alpha[:, None] + background * (1 - alpha[:, None])

    def head(
        self, camera_to_head: Tensor, condition: HeadCondition, row: int
    ) -> tuple[Tensor, Tensor]:
        """(P, 3) premultiplied colour and (P,) opacity of the head layer of one driven frame."""
        camera = self.camera
        count = len(self.pixels)
        rgb = torch.zeros(count, 3, device=self.pixels.device)
        opacity = torch.zeros(count, device=self.pixels.device)
        frame = torch.full((count,), row, device=self.pixels.device)
        rays = pixel_rays(camera, camera_to_head, self.pixels, frame, self.bounds)
        if self.fused is not None and not torch.is_grad_enabled():
            return self.fused.render(rays, condition, row)
        folded = folded_head(self.talker, condition, row)
        hits = (rays.far > rays.near).nonzero()[:, 0]
        for part in hits.split(CHUNK):
            bundle = pixel_rays(camera, camera_to_head, self.pixels[part], frame[part], self.bounds)
            jitter = torch.full((len(part),), 0.5, device=part.device)
            with torch.autocast(part.device.type, self.autocast, enabled=self.autocast is not None):
                out = render_rays(self.talker, bundle, condition, jitter, folded=folded)
            rgb[part], opacity[part] = out.rgb, out.opacity
        return rgb, opacity


def _resized(background: Tensor, camera: Camera) -> Tensor:
    """The (H, W, 3) background at a camera's size."""
    size = (camera.height, camera.width)
    if background.shape[:2] == size:
        return background
    planes = background.permute(2, 0, 1)[None]
    planes = F.interpolate(planes, size, mode="bicubic", align_corners=False, antialias=True)
    return planes[0].permute(1, 2, 0).clamp(0, 1)


def _array(value: Tensor) -> FloatArray:
    return value.float().cpu().numpy()
