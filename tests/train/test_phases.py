"""The seconds-long phases before the head trains, and the numbers they are trusted with."""

import dataclasses

import numpy as np
import pytest
import torch

from nerf_talker.errors import TrainingError
from nerf_talker.field.head import HeadCondition
from nerf_talker.losses import charbonnier, opacity_entropy
from nerf_talker.render.talker import Talker, TalkerConfig
from nerf_talker.train.audio_phase import fit_audio, pairs
from nerf_talker.train.config import AudioPhaseConfig, TorsoPhaseConfig
from nerf_talker.train.preparation import fit_statistics, subject
from nerf_talker.train.torso_phase import STRENGTHS, fit_torso


@pytest.fixture
def talker(ellipse):
    torch.manual_seed(0)
    talker = Talker(TalkerConfig(), subject(ellipse))
    fit_statistics(talker, ellipse)
    return talker


def test_audio_learns_the_mouth_and_keeps_its_spread(talker, ellipse):
    said = fit_audio(talker, ellipse, AudioPhaseConfig(spread=1.0)).notes
    assert said["val_error"] < 0.3 and said["fold_correlation"] > 0.8
    held_out = pairs(talker, ellipse, ellipse.manifest.range("test"))
    with torch.no_grad():
        predicted = talker.audio.predict(held_out.windows) * talker.audio.gain
    first = torch.stack([predicted[:, 0], held_out.codes[:, 0]])
    assert float(torch.corrcoef(first)[0, 1]) > 0.9
    assert float(first[0].std() / first[1].std()) > 0.7
    assert bool((talker.audio.gain >= 1).all()) and bool((talker.audio.gain <= 2).all())


def test_the_head_hears_less_sure_answers_than_the_encoder_that_was_fitted(talker, ellipse):
    heard = fit_audio(talker, ellipse, AudioPhaseConfig()).codes
    train = pairs(talker, ellipse, ellipse.manifest.range("train"))
    fitted = talker.audio.predict(train.windows) * talker.audio.gain
    error, sure = ((found - train.codes).square().mean() for found in (heard, fitted))
    assert sure < error < train.codes.square().mean()
    assert float(heard.abs().max()) <= talker.mouth.limit


def test_frames_without_a_face_have_the_mean_mouth_by_sound(talker, ellipse):
    valid = ellipse.track.valid.copy()
    valid[3:6] = False
    blind = dataclasses.replace(ellipse, track=dataclasses.replace(ellipse.track, valid=valid))
    codes = fit_audio(talker, blind, AudioPhaseConfig()).codes
    assert torch.equal(codes.abs().sum(1) == 0, ~torch.from_numpy(valid[: len(codes)]))


def test_fitting_the_sound_is_the_same_to_the_bit_on_any_number_of_threads(talker, ellipse):
    before, codes, states = torch.get_num_threads(), [], []
    try:
        for threads in (1, 2):
            torch.manual_seed(threads)
            torch.set_num_threads(threads)
            codes.append(fit_audio(talker, ellipse, AudioPhaseConfig()).codes)
            assert torch.get_num_threads() == threads
            states.append({k: v.clone() for k, v in talker.audio.state_dict().items()})
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*codes)
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def test_too_few_validation_frames_are_not_reported(talker, ellipse):
    valid = ellipse.track.valid.copy()
    valid[list(ellipse.manifest.range("val"))] = False
    track = dataclasses.replace(ellipse.track, valid=valid)
    blind = dataclasses.replace(ellipse, track=track)
    assert list(fit_audio(talker, blind, AudioPhaseConfig()).notes) == ["fold_correlation"]


def test_torso_plate_changes_colour_and_edge_only(talker, ellipse, generator):
    before = talker.torso.plate.detach().clone()
    config = TorsoPhaseConfig(steps=20, pixels=2048, frames=4)
    error = fit_torso(talker, ellipse, config, generator, quiet=True)
    change = (talker.torso.plate.detach() - before).abs()
    inside = (before[:, 3:] == 1) | (before[:, 3:] == 0)
    far = torch.nn.functional.max_pool2d((~inside).float(), 7, 1, 3) == 0
    assert float(change[:, 3:][far].max()) == 0
    assert float(talker.torso.strength) in STRENGTHS
    assert 0 <= error < 0.1


def test_masks_that_fit_no_pose_are_refused(ellipse):
    empty = dataclasses.replace(ellipse, head_alpha=np.zeros_like(ellipse.head_alpha))
    with pytest.raises(TrainingError, match="contact sheet"):
        subject(empty)


def test_statistics_ignore_what_is_not_trained_on(ellipse, talker):
    blendshapes = ellipse.track.blendshapes.copy()
    landmarks = ellipse.track.canonical_landmarks.copy()
    motion = ellipse.torso_motion.copy()
    test = list(ellipse.manifest.range("test"))
    blendshapes[test], landmarks[test], motion[test] = 9, 9, 9
    track = dataclasses.replace(
        ellipse.track, blendshapes=blendshapes, canonical_landmarks=landmarks
    )
    other = Talker(TalkerConfig(), subject(ellipse))
    fit_statistics(other, dataclasses.replace(ellipse, track=track, torso_motion=motion))
    for name in ("mouth.mean", "mouth.scale", "expression.mean", "torso.motion.weights"):
        assert torch.equal(other.get_buffer(name), talker.get_buffer(name)), name


def test_half_precision_learns_the_same_appearance_gradient(talker, generator):
    """A code row collects the gradient of thousands of samples: it must not be summed in bf16."""
    points = (torch.rand(20_000, 3, generator=generator) - 0.5) * 0.1
    direction = torch.tensor([[0.0, 0.0, 1.0]])
    ray = torch.zeros(len(points), dtype=torch.int64)

    def gradient(enabled):
        appearance = torch.zeros(1, 4, requires_grad=True)
        condition = HeadCondition(torch.zeros(1, 16), torch.zeros(1, 9), appearance)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = talker.head(points, direction, condition, ray, ray)
        out.rgb.sum().backward()
        return appearance.grad

    full, half = gradient(False), gradient(True)
    assert float((half - full).norm() / full.norm()) < 0.03


def test_charbonnier_is_l1_with_a_rounded_tip():
    difference = torch.tensor([-0.5, 0.0, 0.3])
    value = charbonnier(difference, torch.zeros(3))
    assert value.tolist() == pytest.approx([0.499, 0, 0.299], abs=1e-4)
    tip = torch.zeros(1, requires_grad=True)
    charbonnier(tip, torch.zeros(1)).sum().backward()
    assert float(tip.grad) == 0


def test_opacity_entropy_is_one_bit_at_a_half_and_none_at_the_ends():
    values = opacity_entropy(torch.tensor([0.0, 0.5, 1.0, 0.25, 0.75]))
    assert values.tolist() == pytest.approx([0, 1, 0, 0.8113, 0.8113], abs=1e-3)
