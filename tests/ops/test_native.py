"""What only native back-ends promise: registration, determinism, refusals."""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.errors import BackendError, ConfigError
from nerf_talker.ops import backend as backends
from nerf_talker.ops.register import operators
from tests.ops.backends import device_of, running
from tests.ops.test_backends import packed, rays

NATIVE = pytest.mark.parametrize("name", list(backends.NATIVE))


def calls(device):
    """One call of every registered operator that has no other as its gradient."""
    generator = torch.Generator().manual_seed(0)
    layout = ops.GridLayout.geometric(3, 4, 20, 7, 2)

    def uniform(*shape):
        return torch.rand(shape, generator=generator).to(device).requires_grad_()

    points, table = uniform(20, 3), uniform(*layout.table_shape)
    yield "triplane_encode", (points, table, list(layout.resolutions), layout.entries)
    lattice = ops.LatticeLayout((4, 9), 50, 2)
    points, table = uniform(20, 3), uniform(*lattice.table_shape)
    yield "grid_encode", (points, table, list(lattice.resolutions), lattice.entries, False)
    yield "spherical_harmonics", (uniform(9, 3), 3)
    yield "frequency_encode", (uniform(9, 2), 3, True)
    _, offsets = packed([3, 0, 6], device)
    yield "ray_distortion", (uniform(9), uniform(9).detach(), uniform(9).detach(), offsets)
    yield "render_weights", (uniform(9), uniform(9), offsets)
    yield "composite", (uniform(9), uniform(9, 4), uniform(9), offsets)
    origins, directions, box = (value.to(device) for value in rays("usual", generator))
    yield "ray_box", (origins, directions, box)
    near, far = ops.ray_box(origins, directions, box)
    cells = torch.ones(8, 8, 8, dtype=torch.bool, device=device)
    given = (origins, directions, near, far, cells, box, 0.1, torch.zeros_like(near))
    yield "march", given
    yield "march_packed", (*given, 300)


@NATIVE
def test_registration_holds_what_torch_asks_of_it(name):
    with running(name):
        for op, given in calls(device_of(name)):
            torch.library.opcheck(getattr(operators(), op).default, given)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(threads, generator):
    layout = ops.GridLayout.geometric(12, 16, 400, 14, 2)
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(9000, 3, generator=generator)
    counts = [3, 0, 41, 7] * 400
    density = torch.rand(sum(counts), generator=generator) * 9
    values = torch.randn(sum(counts), 5, generator=generator)

    def everything():
        leaves = [v.clone().requires_grad_() for v in (points, table, density, values)]
        encoded = ops.triplane_encode(leaves[0], leaves[1], layout)
        lattice = ops.LatticeLayout((9, 40), 1000, 2)
        again = ops.grid_encode(leaves[0], leaves[1][0, : lattice.table_shape[0]], lattice)
        steps = torch.full_like(leaves[2], 0.1)
        summed, opacity = ops.composite(leaves[2], leaves[3], steps, *packed(counts, "cpu"))
        total = sum((v * v.detach()).sum() for v in (encoded, again, summed))
        return [encoded, again, summed, opacity, *torch.autograd.grad(total, leaves)]

    before = torch.get_num_threads()
    with running("cpu"):
        try:
            torch.set_num_threads(1)
            alone = everything()
            torch.set_num_threads(threads)
            together = everything()
        finally:
            torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_loading_leaves_denormals_alone():
    with running("cpu"):
        ops.spherical_harmonics(torch.zeros(1, 3))
    assert float(torch.tensor(1e-40) * 1) > 0 and 5e-324 > 0


def test_offsets_outside_the_samples_are_refused():
    with running("cpu"):
        ray, offsets = packed([2, 3], "cpu")
        flat = torch.ones(5)
        for wrong in (offsets + 1, offsets - 1):
            with pytest.raises(BackendError, match="ray_offsets"):
                ops.composite(flat, flat[:, None], flat, ray, wrong)


def test_points_that_are_no_numbers_stay_inside_the_table():
    layout = ops.GridLayout.geometric(3, 4, 20, 7, 2)
    table = torch.ones(layout.table_shape, requires_grad=True)
    points = torch.tensor([[torch.nan, torch.inf, -torch.inf]] * 70, requires_grad=True)
    with running("cpu"):
        encoded = ops.triplane_encode(points, table, layout)
        encoded.sum().backward()
    torch.testing.assert_close(encoded, torch.ones_like(encoded))
    assert not points.grad.any() and table.grad.sum() == encoded.numel()


def test_an_endless_ray_is_refused():
    with running("cpu"):
        one, none = torch.ones(1, 3), torch.zeros(1)
        cells = torch.ones(2, 2, 2, dtype=torch.bool)
        box = torch.tensor([[-1.0] * 3, [1.0] * 3])
        with pytest.raises(BackendError, match="no finite far"):
            ops.march(one, one, none, none + torch.inf, cells, box, 0.1, none)


def test_gradients_to_rays_flow(generator):
    """The native box and march have none; asked for one, the public functions go another way."""
    origins, directions, box = rays("usual", generator)
    origins.requires_grad_()
    with running("cpu"):
        near, far = ops.ray_box(origins, directions, box)
        cells = torch.ones(4, 4, 4, dtype=torch.bool)
        found = ops.march(
            origins, directions, near, far, cells, box, 0.1, torch.zeros(len(origins))
        )
        found.starts.sum().backward()
    assert origins.grad.abs().sum() > 0


def test_unknown_back_end_is_refused(monkeypatch):
    monkeypatch.setenv("NERF_TALKER_OPS", "gpu")
    with pytest.raises(ConfigError, match="NERF_TALKER_OPS is 'gpu', needs one of auto, reference"):
        ops.spherical_harmonics(torch.zeros(1, 3))
