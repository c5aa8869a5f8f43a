"""The torso: a 2-D layer of colour and opacity, moved by the body and bent by the head's pose.

A learnable plate (started from the preprocessed one, so that it never fails to appear) is looked up
where the frame's torso motion and a small displacement net say; the net knows the head pose, so the
neck follows the head while the shoulders follow the body (the deformable torso of RAD-NeRF, Tang et
al. 2022, keyed to two motions instead of one). The body's motion is an affine and, where a clip was
tracked so, a bend: a few modes of displacement on a coarse grid over the plate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nerf_talker.config import StrictModel
from nerf_talker.field.head import mlp, start_at_zero
from nerf_talker.ops import frequency_encode
from nerf_talker.types import TORSO_GRID, TORSO_MODES, ByteArray, Driving, FloatArray

IDENTITY_MOTION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
POSE_WIDTH = 6


class TorsoFieldConfig(StrictModel):
    """``largest`` displacement in units of the image size, and the net's width."""

    largest: float = 0.04
    hidden: int = 32


def pose_vector(camera_to_head: Tensor) -> Tensor:
    """(T, 6) small-angle rotation (radians) and head position in the camera (metres).

    The rotation is the skew part of the head-to-camera rotation, smooth and free of branch cuts for
    the moderate angles of a talking head.
    """
    rotation = camera_to_head[:, :3, :3].transpose(1, 2)
    skew = torch.stack(
        [
            rotation[:, 2, 1] - rotation[:, 1, 2],
            rotation[:, 0, 2] - rotation[:, 2, 0],
            rotation[:, 1, 0] - rotation[:, 0, 1],
        ],
        -1,
    )
    position = -(rotation @ camera_to_head[:, :3, 3:])[..., 0]
    return torch.cat([skew / 2, position], -1)


class TorsoMotionFromPose(nn.Module):
    """Ridge regression from the head pose to torso motion and bend, where no body was tracked."""

    pose_mean: Tensor
    pose_scale: Tensor
    motion_mean: Tensor
    weights: Tensor
    bend_mean: Tensor
    bend_weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pose_mean", torch.zeros(POSE_WIDTH))
        self.register_buffer("pose_scale", torch.ones(POSE_WIDTH))
        self.register_buffer("motion_mean", torch.tensor(IDENTITY_MOTION))
        features = self._features(torch.zeros(1, POSE_WIDTH)).shape[1]
        self.register_buffer("weights", torch.zeros(features, 6))
        self.register_buffer("bend_mean", torch.zeros(TORSO_MODES))
        self.register_buffer("bend_weights", torch.zeros(features, TORSO_MODES))

    @staticmethod
    def _features(pose: Tensor) -> Tensor:
        first, second = torch.triu_indices(POSE_WIDTH, POSE_WIDTH).unbind(0)
        return torch.cat([pose, pose[:, first] * pose[:, second]], -1)

    @torch.no_grad()
    def fit(self, camera_to_head: FloatArray, motion: FloatArray, ridge: float) -> None:
        """Fit to (F, 4, 4) poses and (F, 6) motions; ``ridge`` is per frame."""
        pose = pose_vector(torch.from_numpy(camera_to_head).double())
        self.pose_mean.copy_(pose.mean(0))
        self.pose_scale.copy_(pose.std(0, unbiased=False).clamp_min(1e-4))
        self.weights.copy_(self._solved(pose, motion, self.motion_mean, ridge))

    @torch.no_grad()
    def fit_bend(self, camera_to_head: FloatArray, bend: FloatArray, ridge: float) -> None:
        """The same for (F, K) bends of the poses that :meth:`fit` was given."""
        pose = pose_vector(torch.from_numpy(camera_to_head).double())
        self.bend_weights.copy_(self._solved(pose, bend, self.bend_mean, ridge))

    def _solved(self, pose: Tensor, wanted: FloatArray, mean: Tensor, ridge: float) -> Tensor:
        """Weights towards (F, D) ``wanted``, whose mean is put into ``mean``."""
        features = self._features(self._standardised(pose))
        target = torch.from_numpy(wanted).double()
        mean.copy_(target.mean(0))
        system = features.T @ features + ridge * len(features) * torch.eye(
            features.shape[1], dtype=torch.float64
        )
        return torch.linalg.solve(system, features.T @ (target - target.mean(0)))

    @torch.no_grad()
    def error(self, camera_to_head: FloatArray, motion: FloatArray) -> float:
        """Mean distance, in image widths, by which three points of the shoulders are misplaced."""
        shoulders = torch.tensor([[0.2, 0.9], [0.5, 0.85], [0.8, 0.9]])
        difference = self(torch.from_numpy(camera_to_head)) - torch.from_numpy(motion)
        affine = difference.reshape(-1, 2, 3)
        moved = affine[:, None, :, :2] @ shoulders[:, :, None] + affine[:, None, :, 2:]
        return float(moved.norm(dim=2).mean())

    @torch.no_grad()
    def bend_error(self, camera_to_head: FloatArray, bend: FloatArray) -> float:
        """Mean distance of predicted from (F, K) true bends; modes weigh by their numbers."""
        difference = self.bend(torch.from_numpy(camera_to_head)) - torch.from_numpy(bend)
        return float(difference.norm(dim=1).mean())

    def _standardised(self, pose: Tensor) -> Tensor:
        # Held to 2.5 deviations: a quadratic must not be trusted outside what it saw.
        return ((pose - self.pose_mean) / self.pose_scale).clamp(-2.5, 2.5)

    def forward(self, camera_to_head: Tensor) -> Tensor:
        """(T, 6) torso motion for (T, 4, 4) poses."""
        return self.motion_mean + self._posed(camera_to_head) @ self.weights

    def bend(self, camera_to_head: Tensor) -> Tensor:
        """(T, K) torso bend for (T, 4, 4) poses."""
        return self.bend_mean + self._posed(camera_to_head) @ self.bend_weights

    def _posed(self, camera_to_head: Tensor) -> Tensor:
        pose = self._standardised(pose_vector(camera_to_head))
        return self._features(pose).to(self.weights.dtype)


class TorsoField(nn.Module):
    """Colour and opacity of the torso layer at image points."""

    strength: Tensor
    bend_modes: Tensor

    def __init__(self, config: TorsoFieldConfig, size: int) -> None:
        super().__init__()
        self.largest = config.largest
        self.plate = nn.Parameter(torch.zeros(1, 4, size, size))
        self.motion = TorsoMotionFromPose()
        grid = torch.zeros(TORSO_MODES, 2, TORSO_GRID, TORSO_GRID)
        self.register_buffer("bend_modes", grid)
        # How much of the learned displacement held-out frames bear out, [0, 1].
        self.register_buffer("strength", torch.ones(()))
        self.net = mlp(2 + 2 * 2 * 3 + POSE_WIDTH, config.hidden, config.hidden, 2)
        start_at_zero(self.net)

    @torch.no_grad()
    def start_from(self, plate: ByteArray, modes: FloatArray | None = None) -> None:
        """Start from the (H, W, 4) preprocessed RGBA plate, and its (K, G, G, 2) modes if any."""
        values = torch.from_numpy(np.ascontiguousarray(plate)).float() / 255
        self.plate.copy_(values.permute(2, 0, 1)[None])
        if modes is not None:
            self.bend_modes.copy_(torch.from_numpy(modes).permute(0, 3, 1, 2))

    def moved_by_pose(self, driving: Driving) -> Driving:
        """``driving`` with the torso's motion and bend predicted from its head poses."""
        with torch.no_grad():
            motion = self.motion(driving.camera_to_head)
            bend = self.motion.bend(driving.camera_to_head)
        return replace(driving, torso_motion=motion, torso_bend=bend)

    def forward(
        self,
        points: Tensor,
        camera_to_head: Tensor,
        motion: Tensor,
        bend: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Look the layer up.

        Args:
            points: (P, 2) x, y in units of the image size, [0, 1].
            camera_to_head: (P, 4, 4) or (1, 4, 4) head pose at each point.
            motion: (P, 6) or (1, 6) plate-to-frame affine.
            bend: (P, K) or (1, K) coefficients of the modes, None for no bend.

        Returns:
            (P, 3) colour and (P,) opacity, both in [0, 1]; the plate's edge goes on outside it.
        """
        affine = motion.reshape(-1, 2, 3)
        inverse = torch.linalg.inv(affine[:, :, :2])
        resting = (inverse @ (points - affine[:, :, 2])[..., None])[..., 0]
        if bend is not None:
            resting = resting + self._bent(resting, bend)
        pose = (pose_vector(camera_to_head) - self.motion.pose_mean) / self.motion.pose_scale
        pose = pose.clamp(-3, 3).expand(len(points), -1)
        inputs = torch.cat([frequency_encode(resting, octaves=3), pose], -1)
        moved = resting + self.strength * self.largest * torch.tanh(self.net(inputs).float())
        grid = (moved * 2 - 1).reshape(1, 1, -1, 2)
        looked_up = F.grid_sample(self.plate, grid, "bilinear", "border", align_corners=False)
        values = looked_up[0, :, 0].T.clamp(0, 1)
        return values[:, :3], values[:, 3]

    def _bent(self, resting: Tensor, bend: Tensor) -> Tensor:
        """(P, 2) displacement of (P, 2) points laid onto the plate."""
        modes = self.bend_modes
        if len(bend) == 1:  # one displacement serves all points
            modes, bend = torch.einsum("bk,kcgh->bcgh", bend, modes), bend.new_ones(1, 1)
        grid = (resting * 2 - 1).reshape(1, 1, -1, 2)
        shown = F.grid_sample(
            modes.flatten(0, 1)[None], grid, "bilinear", "border", align_corners=True
        )
        return torch.einsum(
            "pk,kcp->pc", bend.expand(len(resting), -1), shown.reshape(len(modes), 2, -1)
        )
