"""New speech with an avatar whose mouth code was learned from the sound, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.drive.export.blendshapes import NAMES, blendshapes
from nerf_talker.drive.export.mesh import face_landmarks
from nerf_talker.drive.motion.choices import DriveClip, MotionChoices, chosen_source
from nerf_talker.drive.motion.driving_file import FileSource, write_driving
from nerf_talker.drive.source import SpeechSource
from nerf_talker.drive.speech import speech_source
from nerf_talker.drive.stream import SpeechStream
from nerf_talker.errors import ConfigError, InputError
from nerf_talker.experiment import load_config
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.driving import dataset_driving
from nerf_talker.types import AudioFeatures
from tests.drive.moving import same, whole
from tests.drive.test_drive import write_tone
from tests.train.runs import QUICK, trainer


@pytest.fixture(scope="module")
def run(ellipse, tmp_path_factory):
    """A run of a few steps: what its codes are worth does not matter here."""
    mouth = load_config("end_to_end").talker.mouth
    folder = tmp_path_factory.mktemp("sound") / "run"
    trainer(ellipse, folder, mouth=mouth, **QUICK, steps=4).fit()
    return folder


@pytest.fixture(scope="module")
def avatar(run):
    return load_avatar(run)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return write_tone(tmp_path_factory.mktemp("speech") / "a.wav", 1.5)


@torch.no_grad()
def test_speech_is_what_the_network_says_and_silence_the_closed_mouth(avatar, ellipse):
    openness = np.linspace(0, 1, 60, dtype=np.float32)
    openness[:5] = 0
    source = SpeechSource(avatar.talker, avatar.poses, ellipse.audio, openness)
    driven = source.chunk(0, 60)
    assert driven.landmarks is None
    closed = avatar.talker.audio.closed
    assert torch.equal(driven.code[:5], closed.expand(5, -1))
    heard = avatar.talker.mouth_code(dataset_driving(ellipse, [59], "audio"))
    assert torch.allclose(driven.code[59:], heard, atol=1e-5)
    assert torch.equal(avatar.talker.condition(driven).mouth, driven.code)
    silence = AudioFeatures(np.zeros((200, 40), np.float32), 50.0, "logmel40")
    still = SpeechSource(avatar.talker, avatar.poses, silence, np.zeros(50, np.float32))
    assert torch.equal(still.chunk(20, 30).code, closed.expand(10, -1))


def test_motion_options_leave_the_mouth(avatar, speech):
    base = speech_source(avatar, speech)
    choices = MotionChoices(pose="fixed", eyes="idle", head_motion=0.5, brows=2)
    moved = whole(chosen_source(avatar, base, choices, speech))
    assert torch.equal(moved.code, whole(base).code) and moved.landmarks is None


def test_a_stream_shows_what_a_file_does(avatar, speech):
    from nerf_talker.audio.sound import read_sound
    from nerf_talker.render.portrait import PortraitRenderer

    offline = PortraitRenderer(avatar.talker).frames(whole(speech_source(avatar, speech)))
    stream = SpeechStream(avatar)
    parts = stream.push(read_sound(speech)), stream.finish()
    pictures = [picture for part in parts for picture in part.pictures]
    for one, other in zip(offline, pictures, strict=True):
        assert abs(one.rgb - other.rgb).max() < 1e-4


def test_a_driving_file_makes_the_same_frames_on_its_own_kind_only(
    avatar, ellipse_run, speech, tmp_path
):
    usual = load_avatar(ellipse_run)
    for made, other, learned in ((avatar, usual, "sound"), (usual, avatar, "landmarks")):
        path, source = tmp_path / f"{learned}.npz", speech_source(made, speech)
        write_driving(path, source)
        assert same(whole(FileSource(path, made.metadata)), whole(source))
        with pytest.raises(InputError, match=f"of one that learned from {learned}; use the avatar"):
            FileSource(path, other.metadata)


@torch.no_grad()
def test_exported_faces_follow_the_code(avatar, ellipse, speech):
    driven = whole(speech_source(avatar, speech))
    other = replace(driven, code=-driven.code)
    jaws = [blendshapes(avatar, motion)[:, NAMES.index("jawOpen")] for motion in (driven, other)]
    faces = [face_landmarks(avatar, motion) for motion in (driven, other)]
    assert np.abs(jaws[0] - jaws[1]).max() > 1e-4
    assert faces[0].shape == (len(driven), 478, 3) and np.isfinite(faces[0]).all()
    assert np.abs(faces[0] - faces[1]).max() > 1e-5


@pytest.mark.parametrize("channel", ["lips.opening", "mouth.landmarks"])
def test_edits_of_the_lips_are_refused_and_others_are_not(avatar, speech, tmp_path, channel):
    base, path = speech_source(avatar, speech), tmp_path / "edits.json"
    value = 0.5 if channel == "lips.opening" else [0.0] * (3 * len(MOUTH_POINTS))
    for name, key in (("head.yaw", 5.0), (channel, value)):
        path.write_text(json.dumps({"tracks": [{"channel": name, "keys": [[0.5, key]]}]}))
        if name == "head.yaw":
            edited = whole(chosen_source(avatar, base, MotionChoices(edit=path), speech))
            assert torch.equal(edited.code, whole(base).code)
    with pytest.raises(ConfigError, match=rf"channel {channel}: needs lips that landmarks move"):
        chosen_source(avatar, base, MotionChoices(edit=path), speech)


def test_a_clips_mouth_and_landmarks_are_refused(avatar, ellipse, speech):
    base, seen = speech_source(avatar, speech), dataset_driving(ellipse, [3, 4], "landmarks")
    with pytest.raises(ConfigError, match=r"^--mouth video: needs lips"):
        clip = DriveClip(avatar.poses, with_mouth=True)
        chosen_source(avatar, base, MotionChoices(), speech, clip)
    with pytest.raises(ConfigError, match=r"^driving by landmarks: needs lips"):
        avatar.talker.condition(seen)


def test_the_commands_refuse_in_one_sentence(run, ellipse_folder, speech, tmp_path, capsys):
    out = tmp_path / "out.mp4"
    render = ["render", str(run), "--audio", str(speech), "-o", str(out), "--quiet"]
    evaluate = ["evaluate", str(run), "--dataset", str(ellipse_folder), "-o", str(tmp_path / "r")]
    for command, named in (
        ([*render, "--lip-opening", "2"], "--lip-opening 2"),
        ([*render, "--drive-video", str(speech), "--mouth", "video"], "--mouth video"),
        # A sound is no clip: whoever looked at it first would say so.
        ([*render, "--drive-video", str(speech), "--lip-opening", "2"], "--lip-opening 2"),
        ([*evaluate, "--drive", "landmarks"], "--drive landmarks"),
    ):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: {named}: needs lips that landmarks move")
        assert said.count("\n") == 1 and "talker.mouth.source: landmarks" in said
    assert not out.exists() and not (tmp_path / "r").exists()
    assert main(render) == 0 and out.stat().st_size > 0
