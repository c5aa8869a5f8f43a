"""The face's landmarks and blendshapes as a linear map of what drives the head.

Fitted to the training frames in closed form and kept in the avatar, so that driven motion can be
exported without the clip: every row of the design is 1, the mouth code and the expression of a
frame, as the head is conditioned on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nerf_talker.data.dataset import Dataset
from nerf_talker.render.talker import Talker
from nerf_talker.train.driving import dataset_driving
from nerf_talker.types import Driving

BLOCK = 256  # frames whose driving is held at once
# Of the ridge, per frame: codes are standardised, and one that a clip lacks must not run away.
RIDGE = 1e-3


@dataclass(frozen=True)
class FaceModel:
    """Weights of the maps, with C mouth components and E expression channels.

    Attributes:
        points: (1 + C + E, 478, 3) to canonical landmarks, metres.
        blendshapes: (1 + C + E, 52) to scores in MediaPipe's order.
    """

    points: Tensor
    blendshapes: Tensor

    def landmarks(self, design: Tensor) -> Tensor:
        """(T, 478, 3) metres in canonical head space of (T, 1 + C + E) rows."""
        return torch.einsum("td,dpc->tpc", design, self.points)

    def scores(self, design: Tensor) -> Tensor:
        """(T, 52) in [0, 1] of (T, 1 + C + E) rows."""
        return (design @ self.blendshapes).clamp(0, 1)


@torch.no_grad()
def design_rows(talker: Talker, driving: Driving) -> Tensor:
    """(T, 1 + C + E): what the head is told of driven frames, on the CPU."""
    driving = driving.to(talker.background.device)
    code, expression = talker.mouth_code(driving), talker.expression(driving.expression)
    return torch.cat([torch.ones(len(code), 1), code.cpu(), expression.cpu()], 1)


@torch.no_grad()
def fit_face_model(talker: Talker, dataset: Dataset) -> FaceModel:
    """Ridge regression on the training frames that show a face."""
    rows = np.asarray(dataset.manifest.range("train"))
    rows = rows[dataset.track.valid[rows]]
    points = torch.from_numpy(dataset.track.canonical_landmarks[rows]).double()
    scores = torch.from_numpy(dataset.track.blendshapes[rows]).double()
    # In blocks: windows of sound are large, and what a network makes of them larger.
    blocks = [rows[start : start + BLOCK].tolist() for start in range(0, len(rows), BLOCK)]
    driven = (dataset_driving(dataset, block, talker.learns_from) for block in blocks)
    design = torch.cat([design_rows(talker, driving) for driving in driven]).double()
    penalty = RIDGE * len(rows) * torch.eye(design.shape[1], dtype=torch.float64)
    penalty[0, 0] = 0
    targets = torch.cat([points.flatten(1), scores], 1)
    weights = torch.linalg.solve(design.T @ design + penalty, design.T @ targets).float()
    split = points.flatten(1).shape[1]
    return FaceModel(weights[:, :split].reshape(len(weights), -1, 3), weights[:, split:])
