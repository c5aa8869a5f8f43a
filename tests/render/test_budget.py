"""Sizing samples from earlier steps: the same pictures, nothing dropped without being counted."""

import pytest
import torch

from nerf_talker.errors import BackendError
from nerf_talker.render.budget import BLOCK, SampleBudget
from nerf_talker.render.renderer import render_rays, sample_rays
from nerf_talker.types import RayBundle
from tests.render.test_fused import condition_of, rays_of, talker
from tests.train.test_train import trainer

STEP = 0.05


def bundle(count, generator):
    origins = torch.tensor([[0.0, 0.0, -3.0]]).repeat(count, 1)
    spread = torch.randn(count, 3, generator=generator) * 0.1
    directions = torch.nn.functional.normalize(spread + torch.tensor([0.0, 0.0, 1.0]), dim=-1)
    flat = torch.zeros(count)
    pixels = torch.zeros(count, 2, dtype=torch.int64)
    return RayBundle(origins, directions, flat + 1, flat + 5, pixels, pixels[:, 0])


@pytest.fixture
def scene(generator):
    cells = torch.rand(8, 8, 8, generator=generator) < 0.5
    return cells, torch.tensor([[-1.0] * 3, [1.0] * 3])


def test_capacity_follows_what_the_last_march_wanted(scene, generator):
    cells, box = scene
    budget, rays = SampleBudget(), bundle(2000, generator)
    jitter = torch.zeros(2000)
    most = 0
    for full in (cells, torch.zeros_like(cells), torch.zeros_like(cells)):
        samples = budget.sample(rays, full, box, STEP, jitter)
        assert len(samples) % BLOCK == 0
        kept = int(samples.ray_offsets[:, 1].sum())
        assert int((samples.ends > samples.starts).sum()) == kept
        most = max(most, kept)
    assert most > 20_000 and BLOCK <= budget.capacity(2000) < 1.3 * most + BLOCK
    assert budget.settle() == 0


def test_what_is_dropped_is_counted_and_the_next_step_has_room(scene, generator):
    cells, box = scene
    budget, rays = SampleBudget(), bundle(2000, generator)
    jitter = torch.zeros(2000)
    budget.sample(rays, torch.zeros_like(cells), box, STEP, jitter)
    kept = int(budget.sample(rays, cells, box, STEP, jitter).ray_offsets[:, 1].sum())
    assert kept == BLOCK
    dropped = budget.settle()
    assert dropped > 0
    assert int(budget.sample(rays, cells, box, STEP, jitter).ray_offsets[:, 1].sum()) == (
        kept + dropped
    )
    assert budget.settle() == dropped


def test_endless_rays_are_refused_a_step_later(scene, generator):
    cells, box = scene
    budget, rays = SampleBudget(), bundle(10, generator)
    budget.sample(rays, cells, box, STEP, torch.zeros(10))
    rays.far[3] = torch.inf
    budget.sample(rays, cells, box, STEP, torch.zeros(10))
    with pytest.raises(BackendError, match="1 rays that hit have no finite far"):
        budget.settle()


def test_a_budget_does_not_change_the_picture(generator):
    made = talker()
    rays, condition = rays_of(made), condition_of(made)
    jitter = torch.rand(len(rays), generator=generator)
    budget = SampleBudget()
    wanted = render_rays(made, rays, condition, jitter)
    for _ in range(2):
        found = render_rays(made, rays, condition, jitter, budget=budget)
        torch.testing.assert_close(found.rgb, wanted.rgb)
        torch.testing.assert_close(found.opacity, wanted.opacity)
    assert len(sample_rays(made, rays, jitter)) < len(sample_rays(made, rays, jitter, budget))


def test_a_trainer_with_a_budget_learns_the_same(ellipse, tmp_path):
    rows = []
    for name in ("exact", "budget"):
        made = trainer(ellipse, tmp_path / name)
        made.budget = SampleBudget() if name == "budget" else None
        rows.append([made._settled(made._take_step()) for _ in range(3)])
    for exact, packed in zip(*rows, strict=True):
        assert packed["samples_dropped"] == 0 and "samples_dropped" not in exact
        assert packed["rgb"] == pytest.approx(exact["rgb"], rel=1e-4)
