"""The fused head field against the same field layer by layer, in float64."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from nerf_talker.errors import BackendError
from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig
from nerf_talker.ops import field as fused
from nerf_talker.ops.backend import library_for, using
from nerf_talker.ops.cuda_fused import fused_render
from nerf_talker.ops.register import operators
from tests.ops.backends import running
from tests.ops.test_emulated_fused import SMALL, setting

BOX = torch.tensor([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
MOUTH = torch.tensor([[0.0, 0.04, -0.05], [0.08, 0.07, 0.09]])
GRID = {"levels": 3, "base": 5, "finest": 40, "log2_entries": 12}
FIELDS = {
    "usual": {"grid": GRID},
    "still": {"grid": GRID, "motion": 0.0},
    "hashed": {"grid": GRID | {"log2_entries": 8}},
    "one_feature": {"grid": GRID | {"features": 1}, "hidden": 32, "gate_hidden": 16},
    "three_features": {"grid": GRID | {"features": 3}, "hidden": 96, "geometry": 5},
    "odd_width": {"grid": GRID | {"features": 3}, "motion": 0.0},
    "odd": {"grid": GRID, "hidden": 37, "geometry": 11, "gate_hidden": 9, "motion_hidden": 21},
}
SIZES = {"codes": 5, "expressions": 3}


def head(name="usual", dtype=torch.float64):
    torch.manual_seed(0)
    config = HeadFieldConfig.model_validate(FIELDS[name])
    field = HeadField(config, box=BOX, mouth=MOUTH, **SIZES)
    with torch.no_grad():
        field.table.uniform_(-1, 1)
        if field.motion is not None:
            field.motion.net[-1].weight.normal_(0, 0.3)
    return field.to(dtype)


def samples(count, dtype=torch.float64, rays=20, frames=3):
    """Points inside and outside the box, directions, conditions, rays and frames."""
    generator = torch.Generator().manual_seed(1)
    points = (torch.rand(count, 3, generator=generator) - 0.5) * 0.24
    directions = F.normalize(torch.randn(rays, 3, generator=generator), dim=-1)
    condition = [torch.randn(frames, n, generator=generator) for n in (5, 3, 4)]
    ray = torch.randint(rays, (count,), generator=generator)
    condition = [value.to(dtype).requires_grad_() for value in condition]
    return points.to(dtype), directions.to(dtype), condition, ray, (ray * 7) % frames


def results(field, count, autocast=False):
    """Outputs and the gradients of everything learned, by name."""
    points, directions, condition, ray, frame = samples(count, field.table.dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = field(points, directions, HeadCondition(*condition), ray, frame)
    found = {"density": out.density.log(), "rgb": out.rgb, "gates": out.features}
    generator = torch.Generator().manual_seed(2)
    total = sum(
        (v * torch.randn(v.shape, generator=generator, dtype=torch.float64).to(v)).sum()
        for v in found.values()
    )
    named = dict(field.named_parameters())
    named |= dict(zip(("d mouth", "d expression", "d appearance"), condition, strict=True))
    gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    found |= dict(zip(named, gradients, strict=True))
    return {name: value.detach() for name, value in found.items()}


def wanted(name, count):
    with using("reference"):
        return results(head(name), count)


def difference(found, wanted):
    if not wanted.numel():
        return 0.0
    scale = max(float(wanted.abs().max()), 1e-3)
    return float((found.double() - wanted).abs().max()) / scale


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["f64", "f32"])
def test_values_and_gradients_are_those_of_the_layers(name, dtype):
    truth = wanted(name, 200)
    with running("cpu"):
        found = results(head(name, dtype), 200)
    for key, value in truth.items():
        assert found[key].dtype == dtype
        forward = key in ("density", "rgb", "gates")
        # A float32 position at a resolution of 40 is off by 2e-6 of a cell, slopes likewise.
        limit = 1e-11 if dtype == torch.float64 else 1e-5 if forward else 1e-4
        assert difference(found[key], value) <= limit, key


@pytest.mark.parametrize("count", [0, 1, 63, 65, 96, 97])
def test_any_number_of_samples(count):
    with running("cpu"):
        found = results(head(), count)
    for key, value in wanted("usual", count).items():
        assert found[key].shape == value.shape
        assert difference(found[key], value) <= 1e-11, key


def cosine(found, wanted):
    return float(F.cosine_similarity(found.double().flatten(), wanted.flatten(), 0))


def test_bfloat16_products_stay_near():
    """As near as torch's own under autocast; what passes a random table's slopes least of all."""
    truth = wanted("usual", 2000)
    with using("reference"):
        torch_own = results(head("usual", torch.float32), 2000, autocast=True)
    with running("cpu"):
        if not library_for(BOX).multiplies_bfloat16:
            pytest.skip("this processor or compiler has no bfloat16 products")
        found = results(head("usual", torch.float32), 2000, autocast=True)
        exact = results(head("usual", torch.float32), 2000)
    for key, value in truth.items():
        assert not torch.equal(found[key], exact[key])
        if key in ("density", "rgb", "gates"):
            assert difference(found[key], value) <= 2e-3, key
        else:
            far = key.startswith("motion") or key == "d mouth"
            assert cosine(found[key], value) > (0.98 if far else 0.998), key
            assert 1 - cosine(found[key], value) < 4 * (1 - cosine(torch_own[key], value)) + 1e-4


@pytest.mark.parametrize("autocast", [False, True], ids=["f32", "bf16"])
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(threads, autocast):
    before = torch.get_num_threads()
    field = head("usual", torch.float32)
    with running("cpu"):
        try:
            torch.set_num_threads(1)
            alone = results(field, 7000, autocast)
            torch.set_num_threads(threads)
            together = results(field, 7000, autocast)
        finally:
            torch.set_num_threads(before)
    assert all(torch.equal(alone[key], together[key]) for key in alone)


def test_held_density_has_no_gradient():
    with running("cpu"):
        field = head()
        with torch.no_grad():
            field.density_net[-1].bias[0] = 1000.0
        points, directions, condition, ray, frame = samples(50)
        out = field(points, directions, HeadCondition(*condition), ray, frame)
        found = torch.autograd.grad(out.density.sum(), field.density_net[-1].bias)[0]
    torch.testing.assert_close(out.density, torch.full_like(out.density, 12.0).exp())
    assert not found.any()


@pytest.mark.parametrize("autocast", [False, True], ids=["f32", "bf16"])
def test_what_is_no_number_stays_where_it_is(autocast):
    """A frame that is no number leaves nothing for the samples a thread computes after it."""
    before = torch.get_num_threads()
    points, directions, condition, *_ = samples(200, torch.float32, rays=2, frames=2)
    condition = [value.detach() for value in condition]
    condition[0][0] = torch.nan
    ray = (torch.arange(200) >= 96).long()  # the first block, and all others
    with running("cpu"), torch.no_grad():
        field = head("odd_width", torch.float32)
        try:
            torch.set_num_threads(1)
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                out = field(points, directions, HeadCondition(*condition), ray, ray)
        finally:
            torch.set_num_threads(before)
    for value in (out.density, out.rgb, out.features):
        assert bool(value[96:].isfinite().all())
    assert bool(out.density[:96].isnan().all())


@pytest.mark.parametrize("autocast", [False, True], ids=["f32", "bf16"])
def test_what_is_no_number_shows(autocast):
    with running("cpu"):
        field = head("usual", torch.float32)
        with torch.no_grad():
            field.table.fill_(torch.nan)
        found = results(field, 30, autocast)
    for key in ("density", "rgb", "gates"):
        assert bool(found[key].isnan().all()), key


def test_without_gradients_the_same_values():
    with running("cpu"):
        field, given = head(), samples(130)
        points, directions, condition, ray, frame = given
        taught = field(points, directions, HeadCondition(*condition), ray, frame)
        with torch.no_grad():
            plain = field(points, directions, HeadCondition(*condition), ray, frame)
    assert torch.equal(taught.rgb, plain.rgb) and torch.equal(taught.density, plain.density)


def test_registration_holds_what_torch_asks_of_it():
    with running("cpu"):
        field = head("usual", torch.float32)
        call = call_of(field)
        for name in ("table", "weights", "frame_rows"):
            call[name].requires_grad_()
        torch.library.opcheck(operators().fused_field.default, tuple(call.values()))


def test_what_asks_for_a_gradient_to_places_goes_layer_by_layer():
    with running("cpu"):
        field = head()
        points, directions, condition, ray, frame = samples(20)
        for leaf in (points, directions):
            leaf.requires_grad_()
            assert not fused.can_fuse(points, directions, field.grid(), field.layers())
            out = field(points, directions, HeadCondition(*condition), ray, frame)
            assert torch.autograd.grad(out.rgb.sum(), leaf)[0].any()
            leaf.requires_grad_(False)


def test_rays_and_frames_that_do_not_exist_are_refused():
    with running("cpu"):
        field = head()
        points, directions, condition, ray, frame = samples(20)
        for wrong_ray, wrong_frame in ((ray + 20, frame), (ray, frame - 3)):
            with pytest.raises(BackendError, match="names one that does not exist"):
                field(points, directions, HeadCondition(*condition), wrong_ray, wrong_frame)


def call_of(field, **changed):
    """The arguments of the fused operator, forward."""
    points, directions, condition, ray, frame = samples(40, torch.float32)
    grid, layers = field.grid(), field.layers()
    weights, rows = fused.fold_field(layers, *condition)
    given = {
        **{"points": points, "table": grid.table.detach()},
        **{"harmonics": operators().spherical_harmonics(directions, 4), "ray": ray},
        **{"frame": frame, "weights": weights.detach(), "frame_rows": rows.detach()},
        **{"box": BOX, "mouth": MOUTH, "resolutions": list(grid.layout.resolutions)},
        **{"entries": grid.layout.entries, "widths": fused.field_widths(layers)},
        **{"largest_motion": 0.012, "brain": False, "keep": True},
    }
    return given | changed


def test_a_level_without_a_cell_is_refused():
    """A resolution of one would be looked up before the table's start."""
    with running("cpu"):
        call = call_of(head("usual", torch.float32))
        kept = operators().fused_field(*call.values())
        given = [torch.ones_like(value) for value in kept[:3]]
        for wrong in ([1, 14, 40], [5, 14, 0]):
            *arguments, _ = (call | {"resolutions": wrong}).values()
            with pytest.raises(BackendError, match="field"):
                operators().fused_field(*arguments, True)
            with pytest.raises(BackendError, match="field_backward"):
                operators().fused_field_backward(*given, *arguments[:9], *kept, *arguments[9:])
            with pytest.raises(BackendError, match="triplane_encode"):
                operators().triplane_encode(call["points"], call["table"], wrong, 4096)


def test_the_renderer_refuses_a_level_without_a_cell(generator):
    with running("cpu"):
        _, folded, scene, rays, _ = setting(SMALL, generator, 4)
        layout = replace(scene.layout, resolutions=(1, *scene.layout.resolutions[1:]))
        wrong = replace(scene, layout=layout)
        with pytest.raises(BackendError, match="fused_render"):
            fused_render(library_for(BOX), wrong, folded, rays, 0.006, tensor_cores=False)


def test_layers_that_do_not_fit_together_are_refused():
    with running("cpu"):
        field = head()
        field.mouth_gate[0] = torch.nn.Linear(7, 64).double()
        points, directions, condition, ray, frame = samples(20)
        with pytest.raises(BackendError, match="a width"):
            field(points, directions, HeadCondition(*condition), ray, frame)


def test_arguments_are_checked_by_name():
    with running("cpu"):
        field = head()
        points, directions, condition, ray, frame = samples(20)
        with pytest.raises(ValueError, match=r"frame has shape \(19,\), needs \(20\)"):
            field(points, directions, HeadCondition(*condition), ray, frame[1:])
