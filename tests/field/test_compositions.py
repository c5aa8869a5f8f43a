"""Laws that hold for every composition of the head field."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.config import validate
from nerf_talker.errors import ConfigError
from nerf_talker.experiment import ExperimentConfig, load_config
from nerf_talker.field.encoding import Encoding, TriPlaneConfig
from nerf_talker.field.folding import fold_frame
from nerf_talker.field.head import HeadFieldConfig
from nerf_talker.ops import LatticeLayout
from tests.field.compositions import (
    COMPOSITIONS,
    PRESETS,
    mouth_and_landmarks,
    samples,
    small_config,
    small_field,
)


@pytest.mark.parametrize("name", COMPOSITIONS)
@pytest.mark.parametrize(
    ("dtype", "limit"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=["f64", "f32"]
)
def test_a_frame_folds_exactly(name, dtype, limit):
    field = small_field(name, dtype)
    points, directions, condition, ray, frame = samples(300, dtype)
    row = torch.full_like(frame, 2)
    with torch.no_grad():
        wanted = field._layer_by_layer(points, directions, condition, ray, row)
        found = fold_frame(field, condition, 2)(points, directions, ray)
        other = fold_frame(field, condition, 1)(points, directions, ray)
    for name in ("density", "rgb", "features"):
        one, two = getattr(found, name), getattr(wanted, name)
        assert one.dtype == dtype
        torch.testing.assert_close(one, two, rtol=limit * 10, atol=limit)
    assert float((other.rgb - wanted.rgb).abs().max()) > 1e-3  # the frame matters


def scalar(field, given):
    out = field(*given)
    generator = torch.Generator().manual_seed(2)
    return sum(
        (value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum()
        for value in (out.density.log(), out.rgb, out.features)
    )


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_gradients_of_the_whole_field_match_finite_differences(name):
    field = small_field(name)
    points, directions, condition, ray, frame = samples(40)
    rows = {key: value.requires_grad_() for key, value in vars(condition).items()}
    given = (points, directions, replace(condition, **rows), ray, frame)
    learned = dict(field.named_parameters()) | rows
    gradients = torch.autograd.grad(scalar(field, given), list(learned.values()), allow_unused=True)
    heard = {"motion", "mouth", "expression"}
    for (key, value), gradient in zip(learned.items(), gradients, strict=True):
        assert gradient is not None or key in heard, key
        generator = torch.Generator().manual_seed(5)
        direction = torch.randn(value.shape, generator=generator, dtype=value.dtype)
        step = 1e-7 / float(direction.norm())
        with torch.no_grad():
            value += step * direction
            high = float(scalar(field, given))
            value -= 2 * step * direction
            low = float(scalar(field, given))
            value += step * direction
        numeric = (high - low) / (2 * step)
        expected = 0.0 if gradient is None else float((gradient * direction).sum())
        assert numeric == pytest.approx(expected, rel=2e-4, abs=2e-4), key


def test_the_default_composition_keeps_the_names_of_older_avatars():
    names = {key.rsplit(".", 1)[0] for key in small_field("portrait").state_dict()}
    nets = {"mouth_gate": 2, "expression_gate": 2, "colour_net": 2, "density_net": 3}
    layers = {f"{net}.{2 * i}" for net, count in nets.items() for i in range(count)}
    moves = {f"motion.net.{2 * i}" for i in range(3)}
    assert names == {"table", "box", "motion", *layers, *moves}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_mouth_and_expression_reach_density_and_colour(name):
    """Each moves the field where it is listened to, and gates are reported where they are."""
    field = small_field(name)
    points, directions, condition, ray, frame = samples(200)
    before = field(points, directions, condition, ray, frame)
    for key in ("mouth", "expression"):
        changed = replace(condition, **{key: getattr(condition, key) + 1})
        after = field(points, directions, changed, ray, frame)
        assert float((after.density / before.density).log().abs().detach().max()) > 1e-3
        assert float((after.rgb - before.rgb).abs().detach().max()) > 1e-4
    gated = "gated" in field.config.fusion
    assert bool((before.features > 0).all()) is gated


def test_shipped_presets_have_the_sizes_of_their_papers():
    heads = {name: load_config(name).talker.head for name in PRESETS}
    assert heads["portrait"] == HeadFieldConfig() and heads["portrait"].plain
    assert heads["synctalk"].fusion == ("gated",) and heads["concat"].fusion == ("concat",)
    grid = heads["r2talker"].grid
    sizes = (grid.levels, grid.base, grid.finest, grid.log2_entries, grid.features)
    layout = LatticeLayout.geometric(*sizes, tiled=True)
    assert layout.width == 64 and layout.table_shape[0] * 4 == pytest.approx(4.08e6, rel=0.01)
    assert not any(heads[name].plain for name in PRESETS[1:])


def test_landmarks_are_those_of_the_code_normalised_per_identity():
    field = small_field("r2talker")
    mouth, points = mouth_and_landmarks()
    code = mouth(torch.from_numpy(points)).double()
    found = field.landmarks.landmarks(code).numpy()
    low, high = points.min((0, 1)), points.max((0, 1))
    wanted = 0.1 + 0.8 * (points - low) / (high - low)
    assert np.abs(found - wanted).max() < 2e-4
    assert wanted.min() == pytest.approx(0.1) and wanted.max() == pytest.approx(0.9)
    wild = field.landmarks.landmarks(code * 1e6).numpy()
    assert np.isfinite(wild).all()  # a code beyond the trained range is held to its border


def test_the_landmark_grid_tells_close_faces_apart():
    field = small_field("r2talker")
    code = torch.zeros(2, 4, dtype=torch.float64)
    code[1, 3] = 1e-3
    features = field.landmarks(code).detach()
    assert float((features[1] - features[0]).abs().max()) > 1e-5


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("{fusion: []}", "at least one"),
        ("{fusion: [film, film]}", "once"),
        ("{conditioners: [expression]}", "needs mouth or landmarks"),
        ("{conditioners: [mouth, landmarks]}", "needs concat or film"),
        ("{conditioners: [landmarks], fusion: [gated, film]}", "needs mouth or expression"),
        ("{fusion: [concat], region_prior: 1}", "needs gated"),
        ("{backend: tinycudann, fusion: [film]}", "three planes with gates only"),
        ("{encoding: planes}", "encoding"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(head, said):
    import yaml

    content = {"talker": {"head": yaml.safe_load(head)}}
    with pytest.raises(ConfigError, match=said) as caught:
        validate(ExperimentConfig, content, "x.yaml")
    assert "talker.head" in str(caught.value)


def test_small_configs_keep_the_parts():
    for name in PRESETS:
        small, full = small_config(name), load_config(name).talker.head
        assert (small.fusion, small.conditioners, small.encoding) == (
            full.fusion,
            full.conditioners,
            full.encoding,
        )


@pytest.mark.parametrize("count", [0, 1, 4096, 4097])
@torch.no_grad()
def test_any_number_of_samples_folds(count):
    field = small_field("all parts", torch.float32)
    points, directions, condition, ray, _ = samples(count, torch.float32)
    found = fold_frame(field, condition, 0)(points, directions, ray)
    assert found.density.shape == (count,) and found.rgb.shape == (count, 3)
    assert found.features.shape == (count, 2)
    wanted = field(points, directions, condition, ray, torch.zeros_like(ray))
    torch.testing.assert_close(found.rgb, wanted.rgb, rtol=0, atol=1e-5)


@pytest.mark.parametrize("encoding", ["triplane", "grid3d", "tiled3d"])
def test_an_encoding_may_be_as_fine_as_wanted(encoding):
    """Neighbours a thousandth of the box apart are told apart at 1024 cells and more."""
    sizes = {"levels": 2, "base": 16, "finest": 2000, "log2_entries": 12, "features": 2}
    made = Encoding.of(encoding, TriPlaneConfig.model_validate(sizes))
    table = made.fresh_table()
    with torch.no_grad():
        table.uniform_(-1, 1)
        points = torch.tensor([[0.5, 0.5, 0.5], [0.501, 0.5, 0.5], [2.0, 0.5, 0.5], [1, 0.5, 0.5]])
        found = made(points, table)
    assert found.shape == (4, made.width)
    assert float((found[0] - found[1]).abs().max()) > 0.1
    assert torch.equal(found[2], found[3])  # outside, the border's value
