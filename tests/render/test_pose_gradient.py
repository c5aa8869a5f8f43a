"""A pixel's gradient to the camera's pose, through every operator, against finite differences."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.types import Camera, RaySamples
from tests.ops.backends import running

CAMERA = Camera(40.0, (6.0, 5.0), 10, 12)
BOX = torch.tensor([[-0.1, -0.12, -0.1], [0.1, 0.12, 0.1]], dtype=torch.float64)
STEP = 0.013
ENCODINGS = {
    "triplane": (ops.GridLayout((5, 9, 40), 600, 2), ops.triplane_encode),
    "hashed grid": (ops.LatticeLayout((5, 9, 40), 600, 2), ops.grid_encode),
    "tiled grid": (ops.LatticeLayout((5, 9), 300, 4, tiled=True), ops.grid_encode),
}


def moved(pose, twist):
    """The (4, 4) pose after a small motion of the camera: rotation, then translation."""
    generator = torch.zeros(4, 4, dtype=torch.float64)
    rows, columns = (2, 0, 1, 1, 2, 0), (1, 2, 0, 2, 0, 1)
    signs = torch.tensor([1.0, 1, 1, -1, -1, -1], dtype=torch.float64)
    generator = generator.index_put(
        (torch.tensor(rows), torch.tensor(columns)), twist[:3].repeat(2) * signs
    )
    generator = generator.index_put((torch.tensor([0, 1, 2]), torch.tensor([3, 3, 3])), twist[3:])
    return pose @ torch.matrix_exp(generator)


class Scene:
    """A little radiance field in float64: encoding, frequencies, harmonics, and linear layers."""

    def __init__(self, layout, encode, generator):
        def drawn(*shape):
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        self.layout, self.encode = layout, encode
        self.table = drawn(*layout.table_shape)
        self.density = drawn(layout.width + 3 * 5) * 0.4
        self.colour = drawn(layout.width + 16, 3) * 0.4
        self.pose = torch.eye(4, dtype=torch.float64)
        self.pose[2, 3] = -0.5
        self.pixels = torch.tensor([[4, 5], [6, 7], [2, 6], [5, 5]])
        self.cells = torch.ones(6, 6, 6, dtype=torch.bool)

    def pixels_at(self, twist):
        """(4, 5) colour, opacity and depth of four pixels."""
        frame = torch.zeros(len(self.pixels), dtype=torch.int64)
        rays = pixel_rays(CAMERA, moved(self.pose, twist)[None], self.pixels, frame, BOX)
        jitter = torch.full_like(rays.near, 0.3)
        given = (rays.origins, rays.directions, rays.near, rays.far)
        found = ops.march(*given, self.cells, BOX, STEP, jitter)
        samples = RaySamples(
            found.ray_indices, found.starts, found.starts + STEP, found.ray_offsets
        )
        unit = (samples.positions(rays) - BOX[0]) / (BOX[1] - BOX[0])
        encoded = self.encode(unit, self.table, self.layout)
        waves = ops.frequency_encode(unit, 2)
        density = (torch.cat([encoded, waves], -1) @ self.density).exp() * 10
        view = ops.spherical_harmonics(rays.directions)[samples.ray_indices]
        rgb = torch.sigmoid(torch.cat([encoded, view], -1) @ self.colour)
        values = torch.cat([rgb, (samples.starts + STEP / 2)[:, None]], -1)
        steps = torch.full_like(density, STEP)
        packing = (samples.ray_indices, samples.ray_offsets)
        summed, opacity = ops.composite(density, values, steps, *packing)
        return torch.cat([summed, opacity[:, None]], -1)


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_autograd_agrees_with_finite_differences(name, encoding, generator):
    scene = Scene(*encoding, generator)
    none, small = torch.zeros(6, dtype=torch.float64), 1e-6
    with running(name):
        found = torch.autograd.functional.jacobian(scene.pixels_at, none)
        columns = []
        for axis in torch.eye(6, dtype=torch.float64) * small:
            ahead, behind = scene.pixels_at(none + axis), scene.pixels_at(none - axis)
            columns.append((ahead - behind) / (2 * small))
    wanted = torch.stack(columns, -1)
    assert bool((wanted.abs().amax((0, 1)) > 1e-3).all())  # every motion is seen
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
