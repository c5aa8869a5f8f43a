"""A head that costs what a trained one costs, made without training.

A head trained on the sample clip held 16 % of its cells; a 256x256 picture of it met 2.0 samples a
ray (9.6 on each of the 21 % of rays that hit), of which 1.6 had light left. Here an ellipsoid's
shell is occupied and its densities reach from air to opaque, to similar figures. It is textured at
random, so that two pictures of it can be compared.
"""

import torch

from nerf_talker.render.talker import Subject, Talker, TalkerConfig
from nerf_talker.types import Camera

BOX = torch.tensor([[-0.115, -0.16, -0.11], [0.115, 0.16, 0.075]])
MOUTH = torch.tensor([[0.0, 0.05, -0.08], [0.065, 0.06, 0.06]])
RADII = torch.tensor([0.76, 0.74, 0.78])  # as a share of the box's half edges
INNER = 0.74  # where the shell begins, as a share of where it ends
DISTANCE = 0.8


def shell_head(size, config=None):
    """A talker with such a head, seen by a camera of ``size`` pixels of width."""
    camera = Camera(2.0 * size, (size / 2, size / 2), size, size)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        made = Talker(config or TalkerConfig(), Subject(camera, BOX, MOUTH, 40, 3)).eval()
        occupy_shell(made)
        head = made.head
        head.table.normal_()
        last = head.density_net[-1]
        last.weight[0].normal_(std=4)
        last.bias[0] = -3.5
        head.colour_net[-1].weight.mul_(20)
    return made


def occupy_shell(talker):
    """Leave only the cells of the ellipsoid's shell."""
    grid = talker.occupancy
    middle, half = grid.box.mean(0), (grid.box[1] - grid.box[0]) / 2
    distance = ((grid.centres() - middle) / (RADII.to(half) * half)).norm(dim=-1)
    cells = (distance > INNER) & (distance < 1)
    grid.cells.copy_(cells.reshape(grid.cells.shape))


def pose(device="cpu"):
    """(1, 4, 4) camera to head, from the front."""
    made = torch.eye(4, device=device)[None].clone()
    made[0, 2, 3] = -DISTANCE
    return made
