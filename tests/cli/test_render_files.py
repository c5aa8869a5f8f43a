"""What ``nerf-talker render`` reads and writes: no input is overwritten, no length is hidden."""

import shutil

import pytest

from nerf_talker.cli import main
from nerf_talker.drive.opening import open_sink
from nerf_talker.drive.options import RenderOptions
from nerf_talker.drive.speech import speech_source
from nerf_talker.train.avatar import load_avatar
from tests.drive.test_drive import write_tone


@pytest.fixture
def given(ellipse_run, tmp_path):
    """The command's beginning, in a folder with an avatar, a sound and a video."""
    shutil.copy(ellipse_run / "avatar.safetensors", tmp_path / "avatar.safetensors")
    write_tone(tmp_path / "a.wav", 0.6)
    made = ["render", str(tmp_path / "avatar.safetensors"), "--quiet"]
    sound = ["--audio", str(tmp_path / "a.wav")]
    assert main([*made, *sound, "-o", str(tmp_path / "v.mp4")]) == 0
    return [*made, *sound]


@pytest.mark.parametrize(
    "wrong",
    [
        ("-o", "v.mp4", "--background", "v.mp4"),
        ("-o", "v.mp4", "--paste-back", "v.mp4"),
        ("-o", "link.mp4", "--drive-video", "v.mp4"),
        ("-o", "w.mp4", "--dump-driving", "avatar.safetensors"),
        ("-o", "w.mp4", "--driving", "d.npz", "--dump-driving", "d.npz"),
        ("-o", "w.mp4", "--dump-driving", "a.wav"),
    ],
)
def test_no_file_that_is_read_is_overwritten(given, tmp_path, capsys, wrong):
    (tmp_path / "link.mp4").symlink_to(tmp_path / "v.mp4")
    (tmp_path / "d.npz").write_bytes(b"motion")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    arguments = [part if part[0] == "-" else str(tmp_path / part) for part in wrong]
    assert main([*given, *arguments]) == 1
    error = capsys.readouterr().err
    assert "is one of the files to read; write to another one" in error and error.count("\n") == 1
    exported = ["export", *given[1:], "-o", str(tmp_path / "new"), "--dump-driving"]
    assert main([*exported, str(tmp_path / "a.wav")]) == 1
    of_folder = ["render", str(tmp_path), *given[2:], "-o", str(tmp_path / "w.mp4")]
    assert main([*of_folder, "--dump-driving", str(tmp_path / "avatar.safetensors")]) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_output_may_be_called_as_a_choice(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main([*given, "-o", "source/"]) == 0
    assert main([*given, "-o", "plate/"]) == 0
    assert len(list((tmp_path / "plate").glob("*.png"))) == 15


def test_a_driving_file_of_another_sound_is_told(given, tmp_path, capsys):
    driving, out = tmp_path / "d.npz", ["-o", str(tmp_path / "w.mp4")]
    assert main([*given, *out, "--dump-driving", str(driving)]) == 0
    capsys.readouterr()
    assert main([*given, *out, "--driving", str(driving)]) == 0
    assert capsys.readouterr().err == ""
    longer = write_tone(tmp_path / "b.wav", 1.2)
    assert main([*given, "--audio", str(longer), *out, "--driving", str(driving)]) == 0
    error = capsys.readouterr().err
    assert error.startswith(f"warning: {driving}: lasts 0.60 s, but {longer} 1.20 s;")
    assert error.count("\n") == 1


def test_a_cut_sound_is_refused(given, tmp_path, capsys):
    cut = write_tone(tmp_path / "b.wav", 2.0)
    cut.write_bytes(cut.read_bytes()[:24044])
    capsys.readouterr()
    assert main([*given, "--audio", str(cut), "-o", str(tmp_path / "w.mp4")]) == 1
    error = capsys.readouterr().err
    assert "promises 2.00 s of sound and holds 0.75 s" in error and error.count("\n") == 1
    assert not (tmp_path / "w.mp4").exists()


def test_parts_over_a_changed_background_are_not_gone_on_with(ellipse_run, given, tmp_path):
    avatar = load_avatar(ellipse_run)
    source = speech_source(avatar, tmp_path / "a.wav")
    options = RenderOptions(background=str(tmp_path / "v.mp4"), resume=True)

    def made_of():
        sink = open_sink(avatar, source, tmp_path / "a.wav", tmp_path / "w.mp4", options)
        return sink.made_of

    first = made_of()
    assert made_of() == first
    (tmp_path / "v.mp4").write_bytes((tmp_path / "v.mp4").read_bytes() + b"\0")
    assert made_of() != first
