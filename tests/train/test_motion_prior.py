"""What other people's clips may and may not do to a person's audio encoder."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.errors import ConfigError, DatasetError, TrainingError
from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode, MouthCodeConfig
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.kernel_fit import Rows, fit_kernel
from nerf_talker.train.motion_prior import (
    LEAST_SPREAD,
    WEIGHTS,
    carried,
    fit_with_prior,
    lent_rows,
    open_prior,
)
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.warm_start import turn_towards
from nerf_talker.types import AudioFeatures
from tests.train.runs import rows
from tests.train.two_speakers import face, manifest, speech, target, write_person


@pytest.fixture(scope="module")
def known(ellipse):
    """A dataset to train on, with sound of its own."""
    values = speech(60, 0)[0].astype(np.float32)
    return dataclasses.replace(ellipse, audio=AudioFeatures(values, 50.0, "test"))


def opened(folder, known):
    return open_prior([str(folder)], known)[0]


def state(encoder):
    return {name: value.clone() for name, value in encoder.state_dict().items()}


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def test_a_person_who_moves_alike_helps_a_short_clip(known, tmp_path):
    person = target(frames=60)
    fit_kernel(person.encoder, person.own.windows, person.own.codes)
    alone = person.error()
    lent = lent_rows(opened(write_person(tmp_path / "other", seed=2), known), person.mouth)
    _, choice = fit_with_prior(person.encoder, person.own, [lent], person.importance)
    assert choice.weight in WEIGHTS and choice.best < 0.8 * choice.without
    assert person.error() < 0.8 * alone


@pytest.mark.parametrize("seed", [1, 2])
def test_a_person_who_moves_otherwise_changes_nothing_at_all(known, tmp_path, seed):
    person = target(frames=80)
    plain = fit_kernel(person.encoder, person.own.windows, person.own.codes)
    alone = state(person.encoder)
    told = speech(600, 50 + seed)[1]
    other = opened(write_person(tmp_path / "other", seed=seed, told=told), known)
    lent = lent_rows(other, person.mouth)
    held_out, choice = fit_with_prior(person.encoder, person.own, [lent], person.importance)
    assert choice.weight == 0 and "not used" in str(choice)
    assert same(state(person.encoder), alone) and torch.equal(held_out, plain)


def test_lips_of_another_size_place_and_reach_are_carried_over_exactly():
    _, told = speech(200, 3)
    points = torch.from_numpy(face(told)[:, list(MOUTH_POINTS)])
    mouth = MouthCode(MouthCodeConfig(components=3))
    mouth.fit(points.numpy(), np.ones(len(points), bool))
    mean = points.mean(0)
    larger = 1.4 * (mean + 0.8 * (points - mean)) + torch.tensor([0.0, 0.02, -0.01])
    assert torch.allclose(carried(mouth, larger), mouth(points), atol=1e-3)
    turned = MouthCode(MouthCodeConfig(components=3))
    turned.load_state_dict(mouth.state_dict())
    turned.basis.copy_(mouth.basis.flip(0))
    turn_towards(mouth, turned)
    assert not torch.allclose(mouth.basis, turned.basis.flip(0), atol=0.1)
    assert torch.allclose(carried(mouth, larger), mouth(points), atol=1e-3)


def test_lips_that_hardly_move_are_not_made_to():
    _, told = speech(200, 3)
    points = torch.from_numpy(face(told)[:, list(MOUTH_POINTS)])
    mouth = MouthCode(MouthCodeConfig(components=3))
    mouth.fit(points.numpy(), np.ones(len(points), bool))
    still = points.mean(0) + 0.1 * (points - points.mean(0))
    assert float(carried(mouth, still).std(0).max()) < 0.12 / LEAST_SPREAD


def test_own_frames_are_remembered_before_those_of_others(known, tmp_path):
    person = target(frames=80, memory=100)
    lent = lent_rows(opened(write_person(tmp_path / "other"), known), person.mouth)
    fit_kernel(person.encoder, person.own.windows, person.own.codes, [lent], 1.0)
    own = person.encoder.described(person.own.windows)
    assert torch.allclose(person.encoder.memory[:80], own, atol=1e-5)
    assert bool(person.encoder.memory[80:].any(1).all())
    full = target(frames=100, memory=100)
    fit_kernel(full.encoder, full.own.windows, full.own.codes)
    alone = state(full.encoder)
    fit_kernel(full.encoder, full.own.windows, full.own.codes, [lent], 1.0)
    joined = state(full.encoder)
    assert torch.equal(joined["memory"], alone["memory"])
    assert not torch.allclose(joined["weights"], alone["weights"], atol=1e-3)


def test_where_another_s_mouth_rests_is_not_learned(known, tmp_path):
    person = target(frames=80)
    lent = lent_rows(opened(write_person(tmp_path / "other"), known), person.mouth)
    elsewhere = Rows(lent.windows, lent.codes + 3)
    for given in (lent, elsewhere):
        fit_kernel(person.encoder, person.own.windows, person.own.codes, [given], 1.0)
        found = person.encoder.predict(person.new.windows)
        if given is lent:
            before = found
    assert torch.allclose(found, before, atol=1e-3)


def test_only_training_frames_of_others_are_read(known, tmp_path):
    root = write_person(tmp_path / "other", frames=120)
    before = lent_rows(opened(root, known), target(60).mouth)
    with np.load(root / "track.npz") as archive:
        arrays = dict(archive)
    arrays["canonical_landmarks"][100:] = 9
    arrays["canonical_landmarks"][7] = 9
    arrays["valid"][7] = False
    np.savez(root / "track.npz", **arrays)
    after = lent_rows(opened(root, known), target(60).mouth)
    assert len(before.codes) == 100 and len(after.codes) == 99
    assert float(after.codes.abs().max()) < 3.5


def broken(root, what):
    if what == "landmarks":
        (root / "track.npz").unlink()
    elif what == "face":
        with np.load(root / "track.npz") as archive:
            arrays = dict(archive) | {"valid": np.zeros(600, bool)}
        np.savez(root / "track.npz", **arrays)
    elif what == "sound file":
        (root / "audio_features.npz").unlink()
    return root


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [
        ("landmarks", DatasetError, r"track\.npz: missing; run"),
        ("sound file", DatasetError, r"audio_features\.npz: missing; run"),
        ("face", TrainingError, "no training frame shows a face; leave it out"),
    ],
)
def test_a_dataset_that_lacks_something_is_refused(known, tmp_path, what, error, said):
    root = broken(write_person(tmp_path / "other"), what)
    with pytest.raises(error, match=said):
        open_prior([str(root)], known)


@pytest.mark.parametrize(
    ("sound", "error", "said"),
    [
        ({"values": np.zeros((0, 6), np.float32)}, TrainingError, "no sound to learn speech"),
        ({"extractor": "mfcc"}, ConfigError, "'mfcc' .* has 'test' .* same --audio-features"),
        ({"rate": 100.0}, ConfigError, r"'test' \(100 Hz.*has 'test' \(50 Hz"),
    ],
)
def test_other_sound_is_refused(known, tmp_path, sound, error, said):
    root = write_person(tmp_path / "other", **sound)
    with pytest.raises(error, match=said):
        open_prior([str(root)], known)


def test_a_clip_counts_once_under_any_name(known, tmp_path):
    root = write_person(tmp_path / "other")
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for pair in ([root, root], [root, copy]):
        with pytest.raises(ConfigError, match=f"same sound as {root}; name other clips"):
            open_prior([str(folder) for folder in pair], known)
    own = write_person(tmp_path / "own", values=known.audio.values)
    with pytest.raises(ConfigError, match="same sound as the dataset that is trained on"):
        open_prior([str(own)], known)
    with pytest.raises(DatasetError, match="no dataset here"):
        open_prior([str(tmp_path / "nowhere")], known)


@pytest.fixture(scope="module")
def other_ellipse(ellipse_folder, tmp_path_factory):
    """Someone whose lips part as the ellipse's do, but slower."""
    root = tmp_path_factory.mktemp("prior") / "slower"
    opening = np.abs(np.sin(np.arange(200) * 0.3))
    told = np.repeat(opening[:, None], 3, 1)
    values = (np.repeat(opening, 2)[:, None] * np.linspace(0.5, 1.5, 40)).astype(np.float32)
    return write_person(root, frames=200, told=told, values=values, extractor="logmel40")


def test_a_run_remembers_its_prior(ellipse_folder, other_ellipse, tmp_path, capsys):
    out = ["-o", str(tmp_path / "run"), "-c", "smoke", "--quiet", "--train.steps", "2"]
    plain = ["train", str(ellipse_folder), *out, "--train.torso.steps", "2"]
    command = [*plain, "--motion-prior", str(other_ellipse)]
    assert main(command) == 0
    assert "motion prior: " in capsys.readouterr().err
    run = RunFolder(tmp_path / "run")
    kept = run.config.read_text()
    assert "# motion prior: slower, 200 frames" in kept and str(other_ellipse) in kept
    said = {"audio_prior_weight", "audio_fold_error_with_prior", "audio_fold_error_without_prior"}
    assert said <= rows(run.root)[0].keys()
    assert load_avatar(run.root).metadata.notes["audio_prior_weight"] in (0, *WEIGHTS)
    assert main(command) == 0
    assert "already trained" in capsys.readouterr().out
    assert main(plain) == 1
    assert "another configuration or dataset" in capsys.readouterr().err
    write_other = manifest("slower", 200).model_copy(update={"size": 128})
    (other_ellipse / "manifest.json").write_text(write_other.model_dump_json())
    assert main(command) == 1
    assert "another configuration or dataset" in capsys.readouterr().err


def test_a_bad_prior_leaves_nothing_behind(ellipse_folder, tmp_path, capsys):
    out = ["-o", str(tmp_path / "run"), "-c", "smoke", "--quiet"]
    command = ["train", str(ellipse_folder), *out, "--motion-prior", str(ellipse_folder)]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and "same sound" in said
    assert not (tmp_path / "run").exists()
