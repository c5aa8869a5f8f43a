"""Where the mouth and where the upper face may act: a prior from the canonical face mesh.

SyncTalk (Peng et al. 2024) keeps its attention heads apart by a penalty outside boxes of the image.
A box turns with no head and knows no depth; the mesh says the same in the space where gates live.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.mesh import LEFT_EYE, RIGHT_EYE
from nerf_talker.types import FloatArray

# Brows in MediaPipe's numbering: upper edge, then lower edge, of either side.
BROWS = (
    *(70, 63, 105, 66, 107, 46, 53, 52, 65, 55),
    *(300, 293, 334, 296, 336, 276, 283, 282, 295, 285),
)
UPPER_POINTS = RIGHT_EYE + LEFT_EYE + BROWS
RESOLUTION = 32
# Metres around its landmarks in which a region acts: cheeks fold, foreheads wrinkle.
REACH = 0.035
# Metres over which a region ends, and over which one gives way to the other.
SOFTNESS = 0.005
# The prior speaks in log odds of at most this much, so that a gate can disagree.
LARGEST_ODDS = 4.0


class RegionPrior(nn.Module):
    """(2, R, R, R) shares in [0, 1] over a box: the mouth's region and the upper face's."""

    volume: Tensor
    box: Tensor

    def __init__(self, box: Tensor) -> None:
        """``box`` is (2, 3) metres; until :meth:`fit` both regions are everywhere."""
        super().__init__()
        self.register_buffer("box", box.clone())
        self.register_buffer("volume", torch.ones(2, RESOLUTION, RESOLUTION, RESOLUTION))

    @torch.no_grad()
    def fit(self, shape: FloatArray) -> None:
        """Take the regions of a face.

        Args:
            shape: (478, 3) mean canonical landmarks, metres.
        """
        line = torch.linspace(0, 1, RESOLUTION)
        # Depth slowest and x fastest, as grid_sample indexes a volume.
        z, y, x = torch.meshgrid(line, line, line, indexing="ij")
        unit = torch.stack([x, y, z], -1).to(self.box)
        points = (self.box[0] + unit * (self.box[1] - self.box[0])).reshape(-1, 3)
        anchors = torch.from_numpy(shape).to(self.box)
        lower, upper = (
            torch.cdist(points, anchors[list(group)]).amin(-1)
            for group in (MOUTH_POINTS, UPPER_POINTS)
        )
        nearer = torch.sigmoid((upper - lower) / SOFTNESS)
        shares = torch.stack(
            [
                nearer * torch.sigmoid((REACH - lower) / SOFTNESS),
                (1 - nearer) * torch.sigmoid((REACH - upper) / SOFTNESS),
            ]
        )
        self.volume.copy_(shares.reshape(self.volume.shape))

    def forward(self, points: Tensor) -> Tensor:
        """(M, 2) shares of the mouth and of the upper face at (M, 3) metres."""
        unit = (points - self.box[0]) / (self.box[1] - self.box[0])
        where = (unit * 2 - 1).reshape(1, 1, 1, -1, 3)
        volume = self.volume[None].to(points.dtype)
        found = F.grid_sample(volume, where, padding_mode="border", align_corners=True)
        return found.reshape(2, -1).T

    def log_odds(self, points: Tensor) -> Tensor:
        """(M, 2) log odds of the shares, within +-:data:`LARGEST_ODDS`."""
        edge = torch.sigmoid(points.new_tensor(-LARGEST_ODDS))
        return torch.logit(self.forward(points).clamp(edge, 1 - edge))
