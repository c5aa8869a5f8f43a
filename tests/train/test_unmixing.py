"""What the head is to show where its matte covers a pixel in part."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.train.preparation import fit_statistics
from nerf_talker.train.unmixing import own_colours, unmixed
from nerf_talker.train.validation import Validation
from nerf_talker.types import RenderOutput
from tests.train.runs import QUICK, trainer

COLOUR = np.asarray([0.8, 0.5, 0.3], np.float32)


def test_a_mixture_is_taken_apart_exactly(generator):
    colour, behind = torch.rand(2, 100, 3, generator=generator)
    alpha = torch.rand(100, generator=generator).clamp(0.01, 1)
    mixed = colour * alpha[:, None] + behind * (1 - alpha[:, None])
    assert torch.allclose(unmixed(mixed, alpha, behind), colour, atol=1e-4)


def test_a_colour_stays_one_and_a_whole_pixel_as_it_is(generator):
    rgb, behind = torch.rand(2, 100, 3, generator=generator)
    found = unmixed(rgb, torch.rand(100, generator=generator), behind)
    assert float(found.min()) >= 0 and float(found.max()) <= 1
    assert torch.equal(unmixed(rgb, torch.ones(100), behind), rgb)
    assert bool(torch.isfinite(unmixed(rgb, torch.zeros(100), behind)).all())


@pytest.fixture
def soft(ellipse):
    """The tiny dataset with a head of one colour whose matte fades over background and body."""
    size = ellipse.manifest.size
    rows, columns = np.mgrid[:size, :size]
    distance = np.hypot((columns - 32) / 16, (rows - 36) / 20)
    matte = np.round(255 * np.clip((1.3 - distance) / 0.6, 0, 1)).astype(np.uint8)
    share = matte[..., None] / np.float32(255)
    torso = ellipse.torso[..., 3:] / np.float32(255)
    behind = ellipse.torso[..., :3] * torso + ellipse.background * (1 - torso)
    picture = np.round(255 * COLOUR * share + behind * (1 - share)).astype(np.uint8)
    count = ellipse.manifest.frames
    return replace(
        ellipse,
        frames=np.repeat(picture[None], count, 0),
        head_alpha=np.repeat(matte[None], count, 0),
    )


@pytest.mark.parametrize("unmix", [False, True])
def test_a_step_sees_the_head_s_own_colour(soft, tmp_path, unmix):
    made = trainer(soft, tmp_path / "run", **QUICK, unmix=unmix)
    fit_statistics(made.talker, soft)
    batch = made._sent(made._draw())
    part = (batch.alpha > 0.1) & (batch.alpha < 0.9)
    low = batch.pixels[:, 0] > 48
    assert int((part & low).sum()) > 10 and int((part & ~low).sum()) > 50, "body and background"
    error = (batch.rgb - torch.from_numpy(COLOUR))[part].abs().amax(-1)
    # Pictures and matte are kept in 8 bits.
    assert float(error.max()) < 0.03 if unmix else float(error.mean()) > 0.1


def test_over_its_own_background_the_pixel_shows_again(soft, tmp_path):
    made = trainer(soft, tmp_path / "run", **QUICK)
    fit_statistics(made.talker, soft)
    batch, driving = made._draw(), made.objective.driving
    frames = batch.frames[batch.frame]
    given = (batch.pixels, batch.rgb, batch.alpha)
    found = own_colours(made.talker, driving, frames, *given)
    behind = made.talker.behind_head(
        batch.pixels,
        driving.camera_to_head[frames],
        driving.torso_motion[frames],
        driving.torso_bend[frames],
    ).detach()
    share = batch.alpha[:, None]
    assert torch.allclose(found * share + behind * (1 - share), batch.rgb, atol=0.01)
    assert torch.equal(found[batch.alpha == 1], batch.rgb[batch.alpha == 1])


def test_a_head_of_its_own_colour_is_validated_as_right(soft, tmp_path, monkeypatch):
    made = trainer(soft, tmp_path / "run", **QUICK)
    fit_statistics(made.talker, soft)
    scores = []
    for unmix in (False, True):
        validation = Validation(soft, unmix)
        alpha = validation.alpha
        right = RenderOutput(alpha[:, None] * torch.from_numpy(COLOUR), alpha, alpha, alpha, 0)
        monkeypatch.setattr("nerf_talker.train.validation.render_rays", lambda *_, r=right: r)
        scores.append(validation.psnr(made.talker, None))
    assert scores[0] < 35 < 45 < scores[1]
