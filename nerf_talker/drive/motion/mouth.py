"""The mouth of driven frames as landmarks, and how far it is open."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.mesh import INNER_LIPS
from nerf_talker.render.talker import Talker
from nerf_talker.types import Driving

UPPER, LOWER = (MOUTH_POINTS.index(point) for point in INNER_LIPS)
WIDEST = 3.0  # deviations of the clip's opening that count as wide open


class LipOpening:
    """Opening of the lips along the way that this person's mouth opens.

    The mouth code's components are independent with known deviations, so what the mouth does when
    the lips part is a regression: the code moves along ``w / |w|^2`` per metre of opening, where
    ``w`` is the change of the opening per standardised component.

    Attributes:
        closed: Metres between the inner lips that count as closed.
        widest: Metres that count as wide open.
    """

    def __init__(self, talker: Talker) -> None:
        """Of one identity."""
        self.talker = talker
        mouth = talker.mouth
        self.device = mouth.mean.device
        basis = mouth.basis.cpu().reshape(len(mouth.basis), -1, 3)
        gain = (basis[:, LOWER, 1] - basis[:, UPPER, 1]) * mouth.scale.cpu()
        spread = float(gain.norm())
        self.way = gain / max(spread**2, 1e-12)
        mean = mouth.mean.cpu().reshape(-1, 3)
        usual = float(mean[LOWER, 1] - mean[UPPER, 1])
        self.closed = max(usual - 2 * spread, 0.0)
        self.widest = max(usual + WIDEST * spread, self.closed + 1e-4)

    @torch.no_grad()
    def landmarks(self, driving: Driving) -> Tensor:
        """(T, K, 3) mouth landmarks of driven frames, predicted from the sound where it drives."""
        if driving.landmarks is not None:
            return driving.landmarks
        code = self.talker.mouth_code(driving.to(self.device))
        return self.talker.mouth.landmarks(code).cpu()

    @staticmethod
    def opening(landmarks: Tensor) -> Tensor:
        """(T,) metres between the inner lips of (T, K, 3), downwards."""
        return landmarks[:, LOWER, 1] - landmarks[:, UPPER, 1]

    def scaled(self, driving: Driving, factor: float) -> Driving:
        """``driving`` with its mouth ``factor`` times as open; a closed mouth stays closed."""
        landmarks = self.landmarks(driving)
        now = self.opening(landmarks)
        wanted = self.closed + factor * (now - self.closed).clamp_min(0)
        return self.opened(driving, torch.where(now > self.closed, wanted, now), landmarks)

    @torch.no_grad()
    def opened(self, driving: Driving, wanted: Tensor, landmarks: Tensor) -> Driving:
        """``driving`` with (T,) metres of opening, held to the range the mouth was trained on."""
        more = wanted.clamp(min(self.closed, 0.0), self.widest) - self.opening(landmarks)
        mouth = self.talker.mouth
        step = (more[:, None] * self.way).to(self.device) * mouth.scale
        moved = landmarks + (step @ mouth.basis).cpu().reshape(len(landmarks), -1, 3)
        return replace(driving, audio=None, landmarks=moved)
