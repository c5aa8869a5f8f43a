"""Cells are kept for what any driving sample shows, and opened again now and then."""

import pytest
import torch

from nerf_talker.geometry.cameras import image_pixels, pixel_rays
from nerf_talker.render.occupancy import OccupancyConfig, OccupancyGrid
from nerf_talker.render.renderer import render_rays
from tests.render.toy_head import BOX, toy_driving, toy_talker

# What an open mouth fills: in front of the ball, where there is air while it is shut.
LIP = torch.tensor([[-0.02, 0.02, -0.097], [0.02, 0.05, -0.08]])


@torch.no_grad()
def watch(made, codes, turn):
    """One interval: all pixels of frames with these codes, and a pruning."""
    driving = toy_driving(made, codes)
    condition, camera = made.condition(driving), made.camera
    pixels = image_pixels(camera.height, camera.width)[::3]
    for row in range(len(codes)):
        frame = torch.full((len(pixels),), row)
        rays = pixel_rays(camera, driving.camera_to_head, pixels, frame, BOX)
        render_rays(made, rays, condition, torch.full((len(rays),), 0.5), observe=True)
    made.occupancy.prune(turn)


def cells_in(grid, region):
    """How many set cells have their centre in a (2, 3) box."""
    centres = grid.centres()
    within = ((centres > region[0]) & (centres < region[1])).all(-1)
    return int((within & grid.cells.flatten()).sum())


def test_a_volume_that_only_an_open_mouth_fills_survives():
    made = toy_talker(lip=LIP)
    grid, full = made.occupancy, cells_in(made.occupancy, LIP)
    for turn in range(12):
        watch(made, [2.0] if turn == 0 else [-1.0], turn)
    # One interval in twelve filled it; the light reaches its front.
    assert cells_in(grid, LIP) > 0.3 * full
    behind = torch.tensor([[-0.1, -0.1, 0.03], [0.1, 0.1, 0.1]])
    assert cells_in(grid, behind) == 0
    for turn in range(40):
        watch(made, [-1.0], turn)
    assert cells_in(grid, LIP) < 0.1 * full  # never opened again: forgotten


@pytest.mark.parametrize(("refresh", "share"), [(0.0, 0.0), (0.25, 0.3)])
def test_a_volume_first_filled_after_its_cells_were_pruned(refresh, share):
    """It comes back where a part of the cells is refreshed, and hardly otherwise."""
    made = toy_talker(lip=LIP)
    made.occupancy.config = OccupancyConfig(refresh=refresh)
    full = cells_in(made.occupancy, LIP)
    for turn in range(4):
        watch(made, [-1.0], turn)
    grid = made.occupancy
    for turn in range(4, 12):
        watch(made, [2.0], turn)
    found = cells_in(grid, LIP) / full
    assert found > share if share else found < 0.3


@pytest.mark.parametrize("refresh", [0.25, 0.1])
def test_every_allowed_cell_has_its_turn_and_no_other_cell(refresh):
    grid = OccupancyGrid(OccupancyConfig(resolution=16, refresh=refresh), BOX)
    allowed = torch.rand(16, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.5
    grid.start_from(allowed)
    period, seen = round(1 / refresh), torch.zeros_like(allowed)
    for turn in range(period):
        grid.prune(turn)
        share = float(grid.cells.sum() / allowed.sum())
        assert share == pytest.approx(refresh, abs=0.05)
        assert not bool((grid.cells & seen).any())
        seen |= grid.cells
    assert torch.equal(seen, allowed)


def test_without_refresh_what_is_pruned_stays_so():
    grid = OccupancyGrid(OccupancyConfig(resolution=8), BOX)
    for turn in range(3):
        grid.prune(turn)
        assert not bool(grid.cells.any())
