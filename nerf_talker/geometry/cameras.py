"""Rays of a pinhole camera in canonical head space, and their intersection with a box."""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.ops import ray_box
from nerf_talker.types import Camera, RayBundle


def pixel_rays(
    camera: Camera,
    camera_to_head: Tensor,
    pixels: Tensor,
    frame: Tensor,
    box: Tensor,
    zoom: Tensor | None = None,
) -> RayBundle:
    """Rays through the centres of pixels.

    Args:
        camera: Intrinsics at the resolution ``pixels`` refer to.
        camera_to_head: (T, 4, 4) poses.
        pixels: (N, 2) int64 row, column.
        frame: (N,) int64 row of ``camera_to_head`` for each ray.
        box: (2, 3) lower and upper corner of the field's box, metres, head space.
        zoom: Scalar factor on the focal length, where that learns; one changes nothing.

    Returns:
        N rays; ``far <= near`` where a ray misses the box.
    """
    down, right = (pixels.to(box.dtype) + 0.5).unbind(-1)
    across, along = right - camera.centre[0], down - camera.centre[1]
    focal = camera.focal if zoom is None else camera.focal * zoom
    in_camera = torch.stack([across / focal, along / focal, torch.ones_like(down)], -1)
    in_camera = in_camera / in_camera.norm(dim=-1, keepdim=True)
    pose = camera_to_head[frame]
    directions = (pose[:, :3, :3] @ in_camera[..., None])[..., 0]
    origins = pose[:, :3, 3]
    near, far = ray_box(origins, directions, box)
    return RayBundle(origins, directions, near, far, pixels, frame)


def image_pixels(height: int, width: int) -> Tensor:
    """(H * W, 2) int64 row, column of every pixel, row-major."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows.reshape(-1), columns.reshape(-1)], -1)
