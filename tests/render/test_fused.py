"""One native call against the operators one by one."""

from dataclasses import replace

import pytest
import torch

from nerf_talker.field.head import HeadCondition, HeadFieldConfig, TriPlaneConfig
from nerf_talker.geometry.cameras import image_pixels, pixel_rays
from nerf_talker.ops import backend
from nerf_talker.render.fused import FusedRenderer
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.renderer import render_rays
from nerf_talker.render.talker import Subject, Talker, TalkerConfig
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.driving import dataset_driving
from nerf_talker.types import Camera

# What early stop may leave out, and float32 in another order: far below a step of 1 / 255.
LARGEST_DIFFERENCE = 5e-4


@pytest.fixture(autouse=True)
def _native():
    fault = backend.fault("cpu")
    if fault:
        pytest.skip(f"back-end cpu: {fault}")
    with backend.using("cpu"):
        yield


def decibels(found, wanted):
    return float(-10 * torch.log10(((found - wanted) ** 2).mean().clamp_min(1e-20)))


def talker(**head):
    """A head with random networks and a table rough enough to show a picture."""
    torch.manual_seed(0)
    box = torch.tensor([[-0.1, -0.12, -0.1], [0.1, 0.12, 0.1]])
    mouth = torch.tensor([[0.0, 0.04, -0.05], [0.06, 0.05, 0.07]])
    camera = Camera(128.0, (32.0, 24.0), 48, 64)
    config = TalkerConfig(head=HeadFieldConfig(**head), step=0.01)
    made = Talker(config, Subject(camera, box, mouth, 40, 3)).eval()
    for parameter in made.head.parameters():
        torch.nn.init.uniform_(parameter, -0.3, 0.3)
    torch.nn.init.uniform_(made.head.table, -2, 2)
    made.occupancy.cells.copy_(torch.rand(made.occupancy.cells.shape) < 0.4)
    return made


def rays_of(made, angle=0.2):
    camera = made.camera
    pose = torch.eye(4)[None].clone()
    cosine, sine = torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))
    pose[0, 0, 0], pose[0, 0, 2], pose[0, 2, 0], pose[0, 2, 2] = cosine, sine, -sine, cosine
    pose[0, :3, 3] = pose[0, :3, :3] @ torch.tensor([0.0, 0.0, -0.5])
    pixels = image_pixels(camera.height, camera.width)
    frame = torch.full((len(pixels),), 1)
    return pixel_rays(camera, pose.repeat(2, 1, 1), pixels, frame, made.occupancy.bounds())


def condition_of(made):
    generator = torch.Generator().manual_seed(1)
    return HeadCondition(*(torch.randn(2, width, generator=generator) for width in (16, 9, 4)))


@torch.no_grad()
def test_a_half_table_is_read_as_it_is_stored():
    made = talker()
    rays, condition = rays_of(made), condition_of(made)
    half = made.head.table.half()
    made.head.table.data = half.float()
    wanted = FusedRenderer.of(made).render(rays, condition, 1)
    made.head.table.data = half
    found = FusedRenderer.of(made).render(rays, condition, 1)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    single = render_rays(made, rays, condition, torch.full_like(rays.near, 0.5))
    assert float((found[0] - single.rgb).abs().max()) <= LARGEST_DIFFERENCE


SHAPES = {
    "usual": {},
    "still": {"motion": 0.0},
    "hashed": {"grid": TriPlaneConfig(levels=5, log2_entries=10, features=1)},
    "four_features": {"grid": TriPlaneConfig(levels=4, finest=90, features=4)},
    "odd_widths": {"hidden": 37, "geometry": 21, "gate_hidden": 13, "motion_hidden": 19},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@torch.no_grad()
def test_one_call_renders_what_the_operators_render(shape):
    made = talker(**shape)
    rays, condition = rays_of(made), condition_of(made)
    rgb, opacity = FusedRenderer.of(made).render(rays, condition, 1)
    wanted = render_rays(made, rays, condition, torch.full_like(rays.near, 0.5))
    assert wanted.opacity.std() > 0.1 and wanted.rgb.std() > 0.05  # there is something to see
    assert decibels(rgb, wanted.rgb) >= 50
    assert float((rgb - wanted.rgb).abs().max()) < LARGEST_DIFFERENCE
    assert float((opacity - wanted.opacity).abs().max()) < LARGEST_DIFFERENCE
    missed = rays.far <= rays.near
    assert missed.any() and not rgb[missed].any() and not opacity[missed].any()


@torch.no_grad()
def test_threads_and_the_order_of_rays_do_not_change_a_bit():
    made = talker()
    rays, condition = rays_of(made), condition_of(made)
    renderer = FusedRenderer.of(made)
    before = torch.get_num_threads()
    pictures = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            pictures.append(torch.cat([renderer.render(rays, condition, 1)[0]]))
    finally:
        torch.set_num_threads(before)
    order = torch.randperm(len(rays), generator=torch.Generator().manual_seed(0))
    turned = replace(rays, **{k: getattr(rays, k)[order] for k in vars(rays)})
    shuffled = renderer.render(turned, condition, 1)[0]
    assert torch.equal(pictures[0], pictures[1]) and torch.equal(pictures[0], pictures[2])
    assert torch.equal(shuffled, pictures[0][order])


@torch.no_grad()
def test_no_ray_and_no_cell_are_no_trap():
    made = talker()
    rays, condition = rays_of(made), condition_of(made)
    none = replace(rays, **{k: getattr(rays, k)[:0] for k in vars(rays)})
    assert FusedRenderer.of(made).render(none, condition, 0)[0].shape == (0, 3)
    made.occupancy.cells.zero_()
    assert not FusedRenderer.of(made).render(rays, condition, 0)[1].any()


def test_portraits_of_a_trained_head_agree(ellipse_run, ellipse):
    avatar = load_avatar(ellipse_run)
    driving = dataset_driving(ellipse, [3, 40], "landmarks")
    fused = PortraitRenderer(avatar.talker)
    assert fused.fused is not None
    with backend.using("reference"):
        plain = PortraitRenderer(avatar.talker)
    assert plain.fused is None
    for one, other in zip(fused.frames(driving), plain.frames(driving), strict=True):
        assert decibels(torch.from_numpy(one.rgb), torch.from_numpy(other.rgb)) >= 50


@pytest.mark.parametrize(
    "head",
    [{"hidden": 256}, {"grid": TriPlaneConfig(levels=16, features=6, base=4, finest=32)}],
    ids=["wide layers", "long encoding"],
)
def test_what_one_call_cannot_hold_is_rendered_by_the_operators(head):
    made = talker(**head)
    assert FusedRenderer.of(made) is None
    rays = rays_of(made)
    found = render_rays(made, rays, condition_of(made), torch.full_like(rays.near, 0.5))
    assert torch.isfinite(found.rgb).all()
