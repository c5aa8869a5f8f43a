"""How well poses hold still what no pose was fitted to: the forehead.

Landmarks cannot tell whether poses are right, since they err on the whole face alike. Skin between
brows and hairline is neither aligned to pictures nor part of what decides a pose, so the steadier
it looks on the moving head, the truer are the poses (on the drawn sample, whose poses are known,
both order poses alike).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerf_talker.geometry.bundle import Poses
from nerf_talker.geometry.facepoints import forehead_points
from nerf_talker.geometry.photometric import WORKING_SIZE, Frames, detail, sample
from nerf_talker.geometry.rotation import Array
from nerf_talker.types import BoolArray, Camera

_MOST_FRAMES = 160


def forehead_change(
    camera: Camera, tracks: Sequence[Poses], shape: Array, seen: BoolArray, frames: Frames
) -> list[float]:
    """Mean distance of the forehead's grey levels from their median over the clip.

    Args:
        camera: Intrinsics of the pictures.
        tracks: Poses to compare, F frames each.
        shape: (478, 3) metres.
        seen: (F,) frames with a face.
        frames: Yields F (H, W) uint8 grey pictures.

    Returns:
        Grey levels, after slow shading was removed, for each of ``tracks``; 0 where the shape has
        no forehead.
    """
    points = forehead_points(shape)
    if not len(points):
        return [0.0] * len(tracks)
    small = camera.scaled(min(camera.width, WORKING_SIZE))
    faces = np.flatnonzero(seen)
    picked = np.linspace(0, len(faces) - 1, min(len(faces), _MOST_FRAMES)).astype(int)
    rows = set(faces[picked].tolist())
    shown: list[list[Array]] = [[] for _ in tracks]
    for index, picture in enumerate(frames()):
        if index in rows:
            image = detail(picture, small.width)
            for poses, values in zip(tracks, shown, strict=True):
                place = points @ poses.rotation[index].T + poses.translation[index]
                values.append(sample(image, small, place, 1)[:, 0])
    stacks = [np.stack(values) for values in shown]
    return [float(np.abs(stack - np.median(stack, 0)).mean()) for stack in stacks]
