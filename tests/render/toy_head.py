"""A head whose answer is known: a ball, grey but for what mouth and blinks do to its halves."""

import torch

from nerf_talker.field.expression import BROWS_AND_BLINKS
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.mesh import NOSE_BASE
from nerf_talker.render.talker import Subject, Talker, TalkerConfig
from nerf_talker.types import Camera, Driving, FieldOutput

BOX = torch.tensor([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
MOUTH = torch.tensor([[0.0, 0.04, -0.05], [0.06, 0.05, 0.07]])
DENSE = 2000.0  # 1/m
BLINK = BROWS_AND_BLINKS.index(9)


class ToyHead(torch.nn.Module):
    """The mouth code tints what lies below 0, blinks what lies above, ``leak`` of it elsewhere.

    Where the first component of the code passes 1, the box ``lip`` fills with flesh.
    """

    folds = False

    def __init__(self, config, leak=0.0, lip=None):
        super().__init__()
        self.config, self.leak, self.lip = config, leak, lip

    def forward(self, points, directions, condition, ray, frame):
        below = (points[:, 1] > 0).to(points)
        tint = condition.mouth[frame, 0] * (below + self.leak * (1 - below))
        tint = tint + condition.expression[frame, BLINK] * (1 - below + self.leak * below)
        density = DENSE * (points.norm(dim=-1) < 0.08)
        if self.lip is not None:
            opened = condition.mouth[frame, 0] > 1
            filled = ((points > self.lip[0]) & (points < self.lip[1])).all(-1) & opened
            density = torch.where(filled, DENSE, density)
        rgb = (0.5 + 0.1 * tint)[:, None].expand(-1, 3)
        return FieldOutput(density, rgb, torch.zeros(len(points), 2))


def toy_talker(**head):
    """A talker with that head; half of the mouth points lie below the nose's base at 0."""
    torch.manual_seed(0)
    config = TalkerConfig.model_validate({"head": {"fusion": ["concat"]}})
    camera = Camera(128.0, (32.0, 32.0), 64, 64)
    made = Talker(config, Subject(camera, BOX, MOUTH, 40, 3)).eval()
    made.head = ToyHead(config.head, **head)
    place = torch.tensor([0.0, 0.04, -0.08]).repeat(len(MOUTH_POINTS), 1)
    place[MOUTH_POINTS.index(NOSE_BASE), 1] = 0.0
    made.mouth.mean.copy_(place.flatten())
    made.mouth.basis[0] = 1.0
    return made


def toy_driving(made, codes):
    """Frames seen from the front, with these values of the code's first component."""
    pose = torch.eye(4)
    pose[2, 3] = -0.5
    count = len(codes)
    free = made.mouth.limit * torch.atanh(torch.tensor(codes) / made.mouth.limit)
    along = free[:, None] / made.mouth.basis.shape[1]
    landmarks = (made.mouth.mean + along * made.mouth.basis[0]).reshape(count, -1, 3)
    return Driving(
        audio=None,
        landmarks=landmarks,
        expression=torch.zeros(count, 9),
        camera_to_head=pose.repeat(count, 1, 1),
        torso_motion=torch.tensor([[1, 0, 0, 0, 1, 0.0]]).repeat(count, 1),
        appearance=torch.zeros(count, dtype=torch.int64),
        fps=25.0,
    )
