import pytest
import torch

from nerf_talker.evaluate.sync_curve import sync_curve
from nerf_talker.losses.sync_expert import LAGS, SyncExpert, lag_logits, sync_loss
from nerf_talker.losses.sync_learning import SyncClip, learn_expert
from tests.losses.sample_voice import SMALL, part, planted, sample_voice

TRAINED = 480


@pytest.fixture(scope="module")
def clip():
    return sample_voice(26.0)


@pytest.fixture(scope="module")
def held_out(clip):
    return part(clip, TRAINED, len(clip))


@pytest.fixture(scope="module")
def expert(clip):
    return learn_expert([part(clip, 0, TRAINED)], SMALL)


def test_every_planted_offset_is_found_in_speech_never_heard(expert, held_out):
    seen, heard = expert.embed_mouths(held_out.mouths), expert.embed_sound(held_out.sound)
    found = [sync_curve(*planted(seen, heard, late)).offset for late in range(-10, 11)]
    assert found == list(range(-10, 11))


def test_half_a_second_tells_in_sync_from_three_frames_off(expert, held_out):
    seen, heard = expert.embed_mouths(held_out.mouths), expert.embed_sound(held_out.sound)
    right = wrong = 0
    for first in range(LAGS, len(seen) - LAGS - 13, 4):
        mouth = seen[first : first + 13]
        own = (mouth * heard[first : first + 13]).sum()
        for lag in (*range(-LAGS, -2), *range(3, LAGS + 1)):
            other = (mouth * heard[first + lag : first + lag + 13]).sum()
            right, wrong = right + int(own > other), wrong + int(own <= other)
    assert right / (right + wrong) > 0.9


def test_another_utterance_is_told_by_its_confidence(expert, held_out):
    other = sample_voice(len(held_out) / 25, seed=5)
    seen, heard = expert.embed_mouths(held_out.mouths), expert.embed_sound(held_out.sound)
    own = sync_curve(seen, heard)
    foreign = sync_curve(seen, expert.embed_sound(other.sound))
    assert own.confidence > 2 * foreign.confidence
    assert own.distance < foreign.distance


def test_same_seed_same_expert_and_nobody_else_s_dice_are_touched(clip):
    quick = SMALL.model_copy(update={"steps": 5})
    state = torch.random.get_rng_state()
    first, second = (learn_expert([part(clip, 0, 90)], quick).state_dict() for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = learn_expert([part(clip, 0, 90)], quick.model_copy(update={"seed": 1})).state_dict()
    assert not torch.equal(first["mouth_tower.linear.weight"], other["mouth_tower.linear.weight"])


def test_as_a_loss_it_pulls_a_late_mouth_to_its_sound(expert, held_out):
    late = 4
    mouths, sound = held_out.mouths[:-late].clone(), held_out.sound[late:]
    assert sync_curve(expert.embed_mouths(mouths), expert.embed_sound(sound)).offset == late
    before = float(sync_loss(expert, mouths, sound).mean())
    moved = mouths.requires_grad_()
    optimiser = torch.optim.Adam([moved], lr=0.02)
    for _ in range(80):
        optimiser.zero_grad()
        sync_loss(expert, moved, sound).mean().backward()
        optimiser.step()
    after = sync_curve(expert.embed_mouths(moved.detach()), expert.embed_sound(sound))
    assert after.offset == 0
    assert float(sync_loss(expert, moved.detach(), sound).mean()) < 0.5 * before


def test_score_is_a_cosine_with_a_gradient_into_mouth_and_sound(expert, held_out):
    mouths = held_out.mouths[:40].clone().requires_grad_()
    sound = held_out.sound[:40].clone().requires_grad_()
    score = expert.score(mouths, sound)
    assert score.shape == (40,) and score.abs().max() <= 1 + 1e-6
    score.sum().backward()
    assert mouths.grad.abs().sum() > 0 and sound.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in expert.parameters())


def test_score_agrees_with_its_own_finite_difference(held_out):
    torch.manual_seed(0)
    expert = SyncExpert(SMALL, 4, held_out.sound.shape[2]).double().eval()
    expert.mouth_basis.copy_(torch.eye(4))
    mouths = held_out.mouths[:3].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda m: expert.score(m, held_out.sound[:3].double()), mouths)


def test_lag_logits_put_the_mouth_s_own_moment_in_the_middle():
    torch.manual_seed(1)
    sound = torch.nn.functional.normalize(torch.randn(2, 20 + 2 * LAGS, 8), dim=-1)
    mouths = sound[:, LAGS + 3 : LAGS + 23 - 3]
    logits = lag_logits(mouths, sound[:, : mouths.shape[1] + 2 * LAGS], 0.5)
    assert (logits.argmax(-1) == LAGS + 3).all()
    assert torch.allclose(logits[..., LAGS + 3], torch.tensor(2.0))


def test_several_clips_of_unlike_length_make_one_expert(clip, held_out):
    quick = SMALL.model_copy(update={"steps": 150})
    clips = [part(clip, 0, 60), sample_voice(12.0, seed=3), part(clip, 60, 300)]
    expert = learn_expert(clips, quick)
    seen, heard = expert.embed_mouths(held_out.mouths), expert.embed_sound(held_out.sound)
    assert sync_curve(*planted(seen, heard, 3)).offset == 3


def test_numbers_that_never_move_do_no_harm(clip):
    still = SyncClip(torch.full((80, 6), 0.5), clip.sound[:80])
    expert = learn_expert([still], SMALL.model_copy(update={"steps": 3}))
    assert torch.isfinite(expert.score(still.mouths, still.sound)).all()
