"""Where rays and patches fall."""

import dataclasses

import numpy as np
import pytest
import torch

from nerf_talker.field.head import HeadCondition
from nerf_talker.train.config import Term, TrainConfig
from nerf_talker.train.curves import Curves
from nerf_talker.train.error_map import CELLS, ErrorMap
from nerf_talker.train.pictures import Pictures
from nerf_talker.train.preparation import fit_statistics
from nerf_talker.train.regions import region_boxes
from nerf_talker.train.sampler import PixelSampler, SamplerConfig
from nerf_talker.types import RenderOutput
from tests.train.runs import QUICK, rows, trainer


def share_inside(batch, boxes):
    box = boxes[np.searchsorted(np.arange(len(boxes)), batch.frames[batch.frame].numpy())]
    pixels = batch.pixels.numpy()
    return float(((pixels >= box[:, :2]) & (pixels < box[:, 2:])).all(1).mean())


@pytest.mark.parametrize(("region", "row"), [("eyes", 4), ("hair", 5)])
def test_a_region_gets_its_share(ellipse, generator, region, row):
    shares = {"head": 0, "face": 0, "mouth": 0, region: 0.9}
    sampler = PixelSampler(SamplerConfig(rays=4000, frames=8, **shares), ellipse)
    assert share_inside(sampler.draw(generator), sampler.boxes[row]) >= 0.88


def test_hair_lies_above_the_face(ellipse):
    sampler = PixelSampler(SamplerConfig(), ellipse)
    assert bool((sampler.boxes[5][:, 2] <= sampler.boxes[1][:, 0] + 1).all())


def test_shares_above_one_are_refused():
    with pytest.raises(ValueError, match="at most 1 together"):
        SamplerConfig(errors=0.2)


def test_errors_draw_rays_to_where_they_are(generator):
    errors = ErrorMap(3, 64)
    pixels = np.stack(np.meshgrid(np.arange(64), np.arange(64), indexing="ij"), -1).reshape(-1, 2)
    wrong = ((pixels[:, 0] // 4 == 5) & (pixels[:, 1] // 4 == 9)).astype(np.float32)
    for _ in range(30):
        errors.learn(np.ones(len(pixels), np.int64), pixels, wrong)
    found = errors.boxes(np.ones(2000, np.int64), generator)
    hit = (found == np.asarray([20, 36, 24, 40])).all(1).mean()
    assert hit > 0.8
    assert (errors.boxes(np.zeros(2000, np.int64), generator) == found[0]).all(1).mean() < 0.02
    assert np.array_equal(found[:, 2:] - found[:, :2], np.full((2000, 2), 64 // CELLS))


def test_the_error_map_learns_in_a_run_only_where_asked(ellipse, tmp_path):
    plain = trainer(ellipse, tmp_path / "plain", **QUICK)
    assert plain.sampler.errors is None
    shares = {"rays": 512, "frames": 4, "head": 0.2, "face": 0.25, "errors": 0.3}
    made = trainer(ellipse, tmp_path / "run", **QUICK, sampler=shares)
    before = made.sampler.errors.values.clone()
    made._take_step()
    changed = (made.sampler.errors.values != before).any(1)
    assert 1 <= int(changed.sum()) <= 4


@pytest.mark.parametrize("size", [2, 48, 500])
def test_patches_never_leave_the_picture(ellipse, generator, size):
    batch = PixelSampler(SamplerConfig(), ellipse).patches(3, size, True, generator)
    side = min(size, ellipse.manifest.size)
    assert batch.patches == (3, side) and len(batch) == 3 * side * side == batch.patch_pixels()
    assert int(batch.pixels.min()) >= 0 and int(batch.pixels.max()) < ellipse.manifest.size
    truth = ellipse.frames[
        batch.frames[batch.frame].numpy(), batch.pixels[:, 0].numpy(), batch.pixels[:, 1].numpy()
    ]
    assert np.allclose(batch.rgb.numpy(), truth / 255)


def test_pictures_kept_whole_are_the_same_pictures(ellipse, generator):
    plain, kept = (PixelSampler(SamplerConfig(rays=500), ellipse) for _ in range(2))
    assert kept.pictures.keep_on(torch.device("cpu"), room=10**9)
    again = torch.Generator().manual_seed(0)
    one, two = plain.draw(generator), kept.draw(again)
    assert torch.equal(one.rgb, two.rgb) and torch.equal(one.alpha, two.alpha)


def test_pictures_that_do_not_fit_stay_on_disk(ellipse):
    pictures = Pictures(ellipse)
    assert not pictures.keep_on(torch.device("cpu"), room=1000) and pictures.kept is None
    assert not pictures.keep_on(torch.device("cpu"))


def test_a_mouth_may_change_what_lies_below_the_eyes_and_lids_the_upper_face(ellipse, generator):
    sampler = PixelSampler(SamplerConfig(rays=3000, frames=8), ellipse)
    batch = sampler.draw(generator)
    rows = batch.frames[batch.frame].numpy()
    boxes = region_boxes(ellipse, rows)
    pixels = batch.pixels.numpy()

    def within(name):
        return ((pixels >= boxes[name][:, :2]) & (pixels < boxes[name][:, 2:])).all(1)

    assert np.array_equal(batch.speaks.numpy(), pixels[:, 0] >= boxes["eyes"][:, 2])
    assert np.array_equal(batch.looks.numpy(), within("face") & ~within("lower"))
    assert 0 < batch.looks.float().mean() < 1 and 0 < batch.speaks.float().mean() < 1


def test_a_term_comes_in_slowly():
    term = Term(weight=2.0, start=10, ramp=3)
    assert [term.at(step) for step in (9, 10, 11, 13, 50)] == [0, 0.5, 1, 2, 2]
    assert Term.model_validate(0.5) == Term(weight=0.5)
    assert TrainConfig.model_validate({"distortion": 3}).distortion.at(0) == 3


@pytest.mark.parametrize("name", ["gate_sparsity", "appearance_smoothness", "lip_consistency"])
def test_a_term_with_a_weight_goes_down(ellipse, tmp_path, name):
    found = []
    for weight in (1e-9, 20.0):
        made = trainer(ellipse, tmp_path / str(weight), **QUICK, **{name: weight})
        logged = [made._settled(made._take_step())[name] for _ in range(25)]
        found.append(logged[-1])
    assert found[1] < found[0]


def test_gates_pay_in_the_other_half_of_the_face(ellipse, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **QUICK, gate_sparsity=1.0)
    batch = made.sampler.draw(made.generator, 4)
    lower = torch.tensor([True, True, False, False])
    batch = dataclasses.replace(batch, speaks=lower, looks=~lower)
    gates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    seen = torch.ones(4)
    out = RenderOutput(torch.zeros(4, 3), seen, seen, gates, 4)
    paid, weight = made.objective._ray_terms(out, batch, 0)["gate_sparsity"]
    assert (float(paid), weight) == (0.5, 1.0)
    right = dataclasses.replace(out, features=gates[[0, 0, 1, 1]])
    assert float(made.objective._ray_terms(right, batch, 0)["gate_sparsity"][0]) == 0


def test_rays_hear_another_frame_away_from_their_part_of_the_face(ellipse, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    batch = made.sampler.draw(made.generator, 400)
    frames = len(batch.frames)
    own = torch.arange(frames, dtype=torch.float32)[:, None]
    heard, rows = made.objective._exchanged(HeadCondition(own, own, own), batch)
    mouth, expression, appearance = (code[rows, 0].long() for code in vars(heard).values())
    assert torch.equal(mouth == batch.frame, batch.speaks)
    assert torch.equal(expression == batch.frame, batch.looks)
    assert torch.equal(appearance, batch.frame)
    shift = (mouth - batch.frame)[~batch.speaks] % frames
    assert len(shift.unique()) == 1  # every other frame is as likely, so no frame is preferred
    assert batch.speaks.any() and batch.looks.any() and not (batch.speaks & batch.looks).all()


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_a_share_of_the_frames_moves_the_mouth_by_sound_but_none_of_patches(
    ellipse, tmp_path, share
):
    first, stop = 10, ellipse.manifest.splits["train"][1]
    splits = ellipse.manifest.splits | {"train": (first, stop)}
    late = dataclasses.replace(
        ellipse, manifest=ellipse.manifest.model_copy(update={"splits": splits})
    )
    made = trainer(late, tmp_path / "run", **QUICK, audio={"heard": share})
    fit_statistics(made.talker, late)
    made._hear()
    batch = made.sampler.draw(made.generator, 400)
    batch = dataclasses.replace(batch, frames=first + torch.arange(200) % (stop - first))
    batch = batch.with_patches(made.sampler.patches(3, 31, False, made.generator))
    frames = batch.frames
    seen = made.talker.condition(made.objective.driven(frames))
    found = made.objective._by_sound(seen, batch)
    by_sound = (found.mouth == made.objective.heard[frames - first]).all(1)
    by_sight = (found.mouth == seen.mouth).all(1)
    assert bool((by_sound ^ by_sight).all())
    assert float(by_sound[:200].float().mean()) == pytest.approx(share, abs=0.12)
    assert len(frames) == 203 and bool(by_sight[200:].all())
    assert found.expression is seen.expression


@pytest.mark.parametrize("share", [0, 1])
def test_what_the_sound_says_reaches_the_loss(ellipse, tmp_path, share):
    made = trainer(ellipse, tmp_path / "run", **QUICK, steps=8, audio={"heard": share})
    made.fit()
    batch, losses = made._draw(), []
    for offset in (0.0, 1.0):
        made.objective.heard = made.objective.heard + offset
        made.objective.generator.manual_seed(5)
        with torch.no_grad():
            losses.append(made.objective(batch, 0, None, None, None).terms["rgb"])
    assert (losses[0] != losses[1]) == bool(share)


def test_tensorboard_gets_every_row_where_it_is_installed(ellipse, tmp_path, monkeypatch):
    written = []

    class Writer:
        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def flush(self):
            written.append("flushed")

    monkeypatch.setattr(Curves, "where_installed", classmethod(lambda c, f, s: c(Writer())))
    made = trainer(ellipse, tmp_path / "run", **QUICK | {"steps": 10})
    made.fit()
    last = rows(tmp_path / "run")[-1]
    assert ("rgb", last["rgb"], 10) in written and written[-1] == "flushed"


def test_a_clip_with_no_valid_validation_frame_trains(ellipse, tmp_path):
    valid = ellipse.track.valid.copy()
    valid[list(ellipse.manifest.range("val"))] = False
    blind = dataclasses.replace(ellipse, track=dataclasses.replace(ellipse.track, valid=valid))
    made = trainer(blind, tmp_path / "run", **QUICK | {"steps": 10, "keep": "best"})
    assert made.fit().is_file()
    assert "val_psnr" not in rows(tmp_path / "run")[-1]
