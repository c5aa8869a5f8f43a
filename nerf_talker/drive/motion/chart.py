"""Head poses as six numbers that may be averaged, blended and scaled."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nerf_talker.geometry.rotation import exponential, inverse_rigid, logarithm, rigid
from nerf_talker.types import Driving

Values = npt.NDArray[np.float64]

# Channels that are not a body's motion in the picture.
_OTHERS = ("audio", "landmarks", "code", "expression", "camera_to_head")


class PoseChart:
    """Poses as rotation vectors about a clip's mean rotation, and positions in the camera.

    Attributes:
        centre: (3, 3) mean head-to-camera rotation of the clip.
        mean: (6,) mean coordinates of the clip.
    """

    def __init__(self, camera_to_head: Tensor) -> None:
        """A chart about the mean of (T, 4, 4) poses."""
        rotation = inverse_rigid(camera_to_head.double().numpy())[:, :3, :3]
        left, _, right = np.linalg.svd(rotation.sum(0))
        sign = np.diag([1.0, 1.0, np.linalg.det(left @ right)])
        self.centre: Values = left @ sign @ right
        self.mean: Values = self.coordinates(camera_to_head).mean(0)

    def coordinates(self, camera_to_head: Tensor) -> Values:
        """(T, 6) of (T, 4, 4): rotation about the camera's axes (radians), position (metres)."""
        pose = inverse_rigid(camera_to_head.double().numpy())
        turn = logarithm(pose[:, :3, :3] @ self.centre.T)
        return np.concatenate([turn, pose[:, :3, 3]], 1)

    def poses(self, coordinates: Values) -> Tensor:
        """(T, 4, 4) float32 camera-to-head poses of (T, 6) coordinates."""
        rotation = exponential(coordinates[:, :3]) @ self.centre
        pose = inverse_rigid(rigid(rotation, coordinates[:, 3:]))
        return torch.from_numpy(pose.astype(np.float32))


def body_channels(driving: Driving) -> dict[str, Tensor]:
    """The channels of numbers that move the body in the picture, by name."""
    found = {}
    for field in fields(driving):
        value = getattr(driving, field.name)
        if field.name not in _OTHERS and isinstance(value, Tensor) and value.is_floating_point():
            found[field.name] = value
    return found
