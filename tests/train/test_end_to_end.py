"""A mouth code that is learned from the sound, together with the head."""

import numpy as np
import pytest
import torch

from nerf_talker.data.dataset import Dataset
from nerf_talker.errors import ConfigError
from nerf_talker.evaluate.crosstalk import cross_talk
from nerf_talker.experiment import load_config
from nerf_talker.field.audio_attention import JointEncoder
from nerf_talker.field.audio_encoder import AudioEncoder
from nerf_talker.field.closed_mouth import inner_gap
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.talker import Talker
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.config import TrainConfig
from nerf_talker.train.driving import dataset_driving
from nerf_talker.train.learner import Learner
from nerf_talker.train.preparation import subject
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.trainer import Trainer
from nerf_talker.train.warm_start import warm_start
from tests.train.blinking_face import write_blinking_face
from tests.train.runs import QUICK, losses, trainer
from tests.train.test_phase_resume import Killed, killed_at
from tests.train.test_presets import tiny

STEPS = 150
SOUND = load_config("end_to_end").talker.mouth


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    return Dataset.open(write_blinking_face(tmp_path_factory.mktemp("blinking") / "dataset"))


@pytest.fixture(scope="module")
def trained(face, tmp_path_factory):
    """A finished run whose mouth code comes from the sound, of a head that blinks apart from it."""
    talker, train = tiny("synctalk")
    wanted = {"steps": STEPS, "checkpoint_interval": STEPS, "preview_interval": STEPS}
    run = RunFolder(tmp_path_factory.mktemp("sound") / "run")
    run.start("test\n")
    talker, train = talker.model_copy(update={"mouth": SOUND}), train.model_copy(update=wanted)
    made = Trainer(face, run, talker, train, quiet=True)
    made.fit()
    return made


@torch.no_grad()
def codes(talker, dataset, frames):
    return talker.mouth_code(dataset_driving(dataset, frames, "audio"))


def test_the_preset_is_the_usual_talker_but_for_the_codes_origin():
    ours, theirs = load_config("portrait"), load_config("end_to_end")
    assert ours.talker.mouth.source == "landmarks" and theirs.talker.mouth.source == "sound"
    same = theirs.talker.mouth.model_copy(update={"source": "landmarks"})
    assert theirs.talker.model_copy(update={"mouth": same}) == ours.talker
    assert theirs.train == ours.train


def test_the_usual_talker_has_nothing_of_it(face):
    talker = Talker(load_config("smoke").talker, subject(face))
    assert isinstance(talker.audio, AudioEncoder) and talker.learned() is talker.head
    assert not list(talker.audio.parameters())


def test_head_and_torso_start_the_same_whatever_the_origin(face):
    config, starts = load_config("smoke").talker, []
    for mouth in (config.mouth, SOUND):
        torch.manual_seed(0)
        starts.append(Talker(config.model_copy(update={"mouth": mouth}), subject(face)))
    for part in ("head", "torso"):
        one, other = (getattr(talker, part).state_dict() for talker in starts)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_colour_teaches_the_network(face, tmp_path):
    made = trainer(face, tmp_path / "run", mouth=SOUND, **QUICK)
    made.objective(made._draw(), 0, None, None, None).terms["rgb"].backward()
    for name, value in made.talker.audio.named_parameters():
        assert value.grad is not None and float(value.grad.abs().max()) > 0, name
    learned = {id(p) for group in made.optimiser.param_groups for p in group["params"]}
    assert {id(p) for p in made.talker.audio.parameters()} <= learned
    assert sum(name.startswith("audio.") for name in made.average.state) == 16


def test_a_batch_hears_what_its_frames_hear(face, tmp_path):
    made = trainer(face, tmp_path / "run", mouth=SOUND, **QUICK)
    frames = torch.tensor([0, 3, 77, face.manifest.frames - 1])
    driven = made.objective.driven(frames)
    assert torch.equal(driven.audio, dataset_driving(face, frames.tolist(), "audio").audio)
    assert driven.landmarks is None


def test_the_sound_moves_the_mouth(trained, face):
    talker = load_avatar(trained.run.avatar).talker
    assert isinstance(talker.audio, JointEncoder)
    test = face.manifest.range("test")
    found = cross_talk(PortraitRenderer(talker), face, test, "audio")
    assert found.mouth.change > 0.03 and found.mouth.lower_face > 0.8
    assert float(codes(talker, face, list(test)).std(0).mean()) > 0.02


def test_the_avatar_says_what_the_run_said(trained, face):
    kept = load_avatar(trained.run.avatar).talker
    frames = list(face.manifest.range("test"))
    assert torch.equal(codes(kept, face, frames), codes(trained.talker, face, frames))


def test_the_closed_code_is_that_of_closed_lips(trained, face):
    train = list(face.manifest.range("train"))
    said = codes(trained.talker, face, train)
    gap = inner_gap(torch.from_numpy(face.track.canonical_landmarks[train][:, list(MOUTH_POINTS)]))
    order = gap.argsort()
    away = (said - trained.talker.audio.closed).norm(dim=1)
    assert float(away[order[:5]].mean()) < 0.5 * float(away[order[-5:]].mean())


@pytest.mark.parametrize(
    ("talker", "train", "named"),
    [
        ({"head": {"conditioners": ["landmarks"], "fusion": ["film"]}}, {}, "conditioners"),
        ({}, {"lip_consistency": 0.1}, "lip_consistency"),
        ({}, {"motion_prior": ["other"]}, "motion_prior"),
        ({}, {"init": "other"}, "init"),
    ],
)
def test_what_needs_codes_of_landmarks_is_refused(face, tmp_path, talker, train, named):
    sizes = load_config("end_to_end").talker
    sizes = type(sizes).model_validate(sizes.model_dump() | talker)
    with pytest.raises(ConfigError, match=rf"{named}.*talker\.mouth\.source is sound; leave one"):
        Trainer(face, None, sizes, TrainConfig.model_validate(train), quiet=True)


def test_an_avatar_of_sound_starts_no_run_of_landmarks(trained, face):
    landmarks, _ = tiny("synctalk")
    made = Talker(landmarks, subject(face))
    with pytest.raises(ConfigError, match=r"talker\.mouth\.source sound, this run has landmarks"):
        warm_start(made, trained.run.avatar)


def test_a_kill_changes_nothing(face, tmp_path, monkeypatch):
    settings = QUICK | {"steps": 20, "log_interval": 1, "checkpoint_interval": 5, "keep": "best"}
    settings |= {"validation_interval": 10, "detail": {"mouth_steps": 10, "size": 32}}
    settings |= {"poses": {"refine": True, "start": 6, "rays": 64}}
    settings["sampler"] = {"rays": 600, "frames": 8}

    def run(name):
        return trainer(face, tmp_path / name, mouth=SOUND, **settings)

    run("unbroken").fit()
    plain = killed_at(13, monkeypatch)
    with pytest.raises(Killed):
        run("killed").fit()
    monkeypatch.setattr(Learner, "_take_step", plain)
    run("killed").fit()
    first, second = (losses(tmp_path / name) for name in ("unbroken", "killed"))
    assert [step for step, _ in second] == list(range(1, 21))
    assert np.allclose([v for _, v in second], [v for _, v in first], rtol=1e-5)
    one, other = (load_avatar(tmp_path / name).talker.audio for name in ("unbroken", "killed"))
    state = other.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in one.state_dict().items())
