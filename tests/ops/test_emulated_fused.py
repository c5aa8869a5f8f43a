"""The fused renderer against the field and the operators one by one, on the emulated kernels.

The tensor-core kernel runs with a host thread for every thread of a block and emulated fragments.
"""

import functools
import math
from dataclasses import replace

import pytest
import torch

from nerf_talker import ops
from nerf_talker.errors import BackendError
from nerf_talker.field import head as head_module
from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig, TriPlaneConfig
from nerf_talker.ops import cuda_fused
from nerf_talker.ops.backend import using
from nerf_talker.ops.build import source_folder
from nerf_talker.ops.cuda_fused import HeadLayers, Rays, Scene, fold, fused_render
from nerf_talker.ops.register_rays import coarse_occupancy
from tests.ops.emulated import library, shared_memory

LIBRARY = functools.cache(library)
BOX = torch.tensor([[-0.12, -0.16, -0.13], [0.12, 0.16, 0.13]])
MOUTH = torch.tensor([[0.0, 0.05, -0.08], [0.05, 0.06, 0.05]])
STEP = 0.006
SMALL = HeadFieldConfig(
    grid=TriPlaneConfig(levels=4, finest=64, log2_entries=10, features=2),
    hidden=16,
    geometry=8,
    gate_hidden=8,
    motion_hidden=16,
)


def random_head(config, generator):
    """A head whose motion, gates and density all matter."""
    head = HeadField(config, 16, 9, BOX, MOUTH)
    with torch.no_grad():
        head.table.copy_(torch.randn(head.table.shape, generator=generator) * 0.5)
        for parameter in [p for name, p in head.named_parameters() if name != "table"]:
            scale = 1.5 / parameter.shape[-1] ** 0.5 if parameter.dim() > 1 else 0.3
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
        head.density_net[-1].weight[0] *= 4
    return head


def layers_of(head):
    def linear(net):
        return [(layer.weight, layer.bias) for layer in net if isinstance(layer, torch.nn.Linear)]

    return HeadLayers(
        linear(head.motion.net) if head.motion else (),
        linear(head.mouth_gate),
        linear(head.expression_gate),
        linear(head.density_net),
        linear(head.colour_net),
    )


def setting(config, generator, rays=60):
    """A head, its folded form, a scene, rays and the one driven frame."""
    head = random_head(config, generator)
    sizes = (16, 9, config.appearance)
    condition = HeadCondition(*(torch.randn(1, size, generator=generator) for size in sizes))
    folded = fold(
        layers_of(head), condition.mouth[0], condition.expression[0], condition.appearance[0]
    )
    cells = torch.rand(16, 16, 16, generator=generator) < 0.5
    mouth, largest = (MOUTH, head.motion.largest) if head.motion else (None, 0.0)
    blocks = coarse_occupancy(cells)
    scene = Scene(head.table.detach(), head.layout, BOX, mouth, largest, cells, blocks, BOX)
    origins = torch.randn(rays, 3, generator=generator) * 0.02 + torch.tensor([0.0, 0.0, -1.0])
    targets = (torch.rand(rays, 3, generator=generator) - 0.5) * torch.tensor([0.3, 0.4, 0.26])
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    near, far = ops.ray_box(origins, directions, BOX)
    jitter = torch.full((rays,), 0.5)
    return head, folded, scene, Rays(origins, directions, near, far, jitter), condition


@torch.no_grad()
def op_by_op(head, scene, rays, condition):
    """(N, 3) colour, (N,) opacity and depth; and how many samples."""
    with using("reference"):
        given = (rays.origins, rays.directions, rays.near, rays.far, scene.cells, BOX, STEP)
        found = ops.march(*given, rays.jitter)
        middle = found.starts + STEP / 2
        ray = found.ray_indices
        points = rays.origins[ray] + rays.directions[ray] * middle[:, None]
        out = head(points, rays.directions, condition, ray, torch.zeros_like(ray))
        values = torch.cat([out.rgb, middle[:, None]], -1)
        steps = torch.full_like(middle, STEP)
        summed, opacity = ops.composite(out.density, values, steps, ray, found.ray_offsets)
    return (summed[:, :3], opacity, summed[:, 3]), len(ray)


def largest_difference(found, wanted):
    return max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True))


CONFIGS = {
    "usual": HeadFieldConfig(),
    "small": SMALL,
    "still": SMALL.model_copy(update={"motion": 0.0}),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_scalar_form_renders_what_the_operators_render(config, generator):
    head, folded, scene, rays, condition = setting(config, generator, 300)
    wanted, samples = op_by_op(head, scene, rays, condition)
    assert samples > 1000 and float(wanted[1].max()) > 0.5
    given = (LIBRARY(), scene, folded, rays, STEP, 0.0)
    found = fused_render(*given, tensor_cores=False)
    assert largest_difference(found, wanted) <= 5e-5
    rounded = fused_render(*given, tensor_cores=False, round_to_half=True)
    assert largest_difference(rounded, wanted) > largest_difference(found, wanted)
    assert float(((rounded[0] - wanted[0]) ** 2).mean()) <= 1e-5  # 50 dB


@pytest.mark.parametrize("weights_in", ["global", "shared"])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_block_tensor_cores_render_what_the_rounded_scalar_form_renders(
    config, weights_in, generator
):
    _, folded, scene, rays, _ = setting(config, generator)
    given = (LIBRARY(), scene, folded, rays, STEP)
    wanted = fused_render(*given, tensor_cores=False, round_to_half=True)
    # Two warps beside the weights' room; or eight and the weights, the least that is shared.
    size = 32_000 if weights_in == "global" else 2 * len(folded.weights) + 8 * 14_848
    with shared_memory(LIBRARY(), size):
        found = fused_render(*given)
    assert float(wanted[1].max()) > 0.5
    assert largest_difference(found, wanted) <= 2e-4


def test_early_stop_changes_nothing_that_can_be_seen(generator):
    _, folded, scene, rays, _ = setting(SMALL, generator, 300)
    whole = fused_render(LIBRARY(), scene, folded, rays, STEP, 0.0, tensor_cores=False)
    ended = fused_render(LIBRARY(), scene, folded, rays, STEP, 0.3, tensor_cores=False)
    assert 1e-3 < largest_difference(ended, whole) <= 0.3
    usual = fused_render(LIBRARY(), scene, folded, rays, STEP, tensor_cores=False)
    assert largest_difference(usual, whole) <= 2e-4


def test_rays_that_miss_or_never_end(generator):
    _, folded, scene, rays, _ = setting(SMALL, generator, 4)
    near, far = rays.near.clone(), rays.far.clone()
    near[0], far[0], far[1], far[2] = 1.0, 0.5, math.inf, math.nan
    rays = replace(rays, near=near, far=far)
    for tensor_cores in (False, True):
        with shared_memory(LIBRARY(), 20_000):
            found = fused_render(LIBRARY(), scene, folded, rays, STEP, tensor_cores=tensor_cores)
        assert not found[0][0].any() and found[1][0] == 0
        assert found[0][1:3].isnan().all() and found[2][1:3].isnan().all()
        assert found[0][3].isfinite().all()


def test_no_rays(generator):
    _, folded, scene, rays, _ = setting(SMALL, generator, 0)
    rgb, opacity, depth = fused_render(LIBRARY(), scene, folded, rays, STEP, tensor_cores=False)
    assert rgb.shape == (0, 3) and opacity.shape == depth.shape == (0,)


def test_misfits_are_refused(generator):
    _, folded, scene, rays, _ = setting(SMALL, generator, 1)
    given = {"tensor_cores": False}
    with pytest.raises(BackendError, match="cudaErrorInvalidValue"):
        fused_render(LIBRARY(), scene, replace(folded, hidden=64), rays, STEP, **given)
    with pytest.raises(BackendError, match=r"near is torch\.float64, needs torch\.float32"):
        wrong = replace(rays, near=rays.near.double())
        fused_render(LIBRARY(), scene, folded, wrong, STEP, **given)
    with pytest.raises(BackendError, match="cudaErrorInvalidConfiguration"):
        fused_render(LIBRARY(), scene, folded, rays, STEP)  # no shared memory here


def test_the_header_knows_the_field_s_constants():
    headers = ("include/fused_field.h", "cuda/fused_ray.h")
    text = "".join((source_folder() / header).read_text() for header in headers)
    largest, initial = head_module.LARGEST_LOG_DENSITY, head_module.INITIAL_LOG_DENSITY
    assert f"lesser(raw, {largest:.1f}f) + {initial:.1f}f" in text
    assert f"MOTION_INPUTS = {cuda_fused._MOTION_INPUTS}" in text
