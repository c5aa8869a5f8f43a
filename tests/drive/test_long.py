"""Long videos: sound and pictures end together, and a stopped rendering is gone on with."""

from fractions import Fraction

import numpy as np
import pytest

from nerf_talker.cli import main
from nerf_talker.drive.coding import video_coding
from nerf_talker.drive.options import RenderOptions
from nerf_talker.drive.pixels import STANDARD
from nerf_talker.drive.sinks import PngFolder
from nerf_talker.drive.speech import render_speech
from nerf_talker.drive.video import SpeechVideo
from nerf_talker.errors import InputError
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import load_avatar

from .media import pictures, times
from .test_drive import write_tone

PART = 50


def shade(number):
    return np.full((16, 16, 3), 60 + abs(number * 6 % 240 - 120), np.uint8)


def write(path, sound, fps, frames, part, stop=None, made_of="", resume=False, codec="auto"):
    coding = video_coding(path, RenderOptions(codec=codec))
    with SpeechVideo(path, sound, fps, {}, coding, STANDARD, made_of, resume, part) as video:
        begun = video.frames
        for number in range(begun, frames):
            if number == stop:
                raise KeyboardInterrupt
            video.write(shade(number))
    return begun


def ends(path):
    """Seconds at which the last picture and the last sound of a video are over."""
    import av

    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        shown = [frame.time for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        heard = [(f.time, f.samples / f.sample_rate) for f in container.decode(audio=0)]
    return len(shown), shown[-1] + 1 / float(rate), heard[0][0], heard[-1][0] + heard[-1][1]


@pytest.mark.parametrize(
    ("name", "codec", "fps"),
    [
        ("a.mp4", "auto", Fraction(30000, 1001)),
        ("a.mp4", "hevc", 25),
        ("a.webm", "auto", 25),
        ("a.mov", "prores", 24),
        ("a.mkv", "auto", 25),
    ],
)
def test_times_follow_from_frame_numbers_across_parts(tmp_path, name, codec, fps):
    seconds = 6.3
    frames = round(seconds * fps)
    sound = write_tone(tmp_path / "a.wav", seconds)
    write(tmp_path / name, sound, float(fps), frames, 40, codec=codec)
    np.testing.assert_allclose(times(tmp_path / name), np.arange(frames) / float(fps), atol=1e-3)
    shown = pictures(tmp_path / name)[:, 8, 8].astype(float).mean(-1)
    wanted = [float(shade(number)[8, 8, 0]) for number in range(frames)]
    assert np.abs(shown - wanted).max() < 3, "a frame is not where it belongs"


def test_sound_and_pictures_end_together_after_minutes(tmp_path):
    seconds = 100
    sound = write_tone(tmp_path / "a.wav", seconds, rate=8000)
    write(tmp_path / "a.mp4", sound, 29.97, round(seconds * 29.97), 500)
    frames, shown, begins, heard = ends(tmp_path / "a.mp4")
    assert frames == round(seconds * 29.97)
    assert abs(begins) < 0.025 and abs(shown - heard) < 0.04


@pytest.mark.parametrize("stop", [49, 120])
def test_a_stopped_writing_goes_on(tmp_path, stop):
    sound = write_tone(tmp_path / "a.wav", 8)
    given = (sound, 25, 200, PART)
    write(tmp_path / "whole.mp4", *given)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.mp4", *given, stop=stop, resume=True)
    assert not (tmp_path / "a.mp4").exists()
    assert write(tmp_path / "a.mp4", *given, resume=True) == stop // PART * PART
    np.testing.assert_array_equal(pictures(tmp_path / "a.mp4"), pictures(tmp_path / "whole.mp4"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.wav", "whole.mp4"]


def test_parts_of_something_else_are_not_used(tmp_path):
    sound = write_tone(tmp_path / "a.wav", 8)
    given = (tmp_path / "a.mp4", sound, 25, 200, PART)
    with pytest.raises(KeyboardInterrupt):
        write(*given, stop=120, made_of="one", resume=True)
    assert write(*given, made_of="other", resume=True) == 0
    with pytest.raises(KeyboardInterrupt):
        write(*given, stop=120)
    assert not list(tmp_path.glob(".*")), "without --resume nothing stays"


def test_a_killed_writing_goes_on_though_nobody_asked_before(tmp_path):
    sound = write_tone(tmp_path / "a.wav", 8)
    killed = SpeechVideo(tmp_path / "a.mp4", sound, 25, {}, part=PART)
    killed.__enter__()
    for number in range(70):
        killed.write(shade(number))
    del killed  # as a killed process leaves it: nobody closes it
    assert write(tmp_path / "a.mp4", sound, 25, 200, PART, resume=True) == PART
    assert len(pictures(tmp_path / "a.mp4")) == 200


def test_pictures_whose_sound_cannot_be_had_leave_nothing(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    with (
        pytest.raises(InputError, match="cannot be read as sound"),
        PngFolder(tmp_path / "out", tmp_path / "a.wav", 25, None) as folder,
    ):
        folder.write(np.zeros((8, 8, 3), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


class Stopped:
    """A renderer's frames that stop after some."""

    def __init__(self, monkeypatch, after):
        self.left, self.frames = after, PortraitRenderer.frames
        monkeypatch.setattr(PortraitRenderer, "frames", lambda own, driving: self(own, driving))

    def __call__(self, renderer, driving):
        for frame in self.frames(renderer, driving):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            yield frame


@pytest.mark.parametrize("output", ["out.mp4", "out/"])
def test_a_stopped_rendering_goes_on(ellipse_run, tmp_path, monkeypatch, capsys, output):
    defaults = SpeechVideo.__init__.__defaults__
    monkeypatch.setattr(SpeechVideo.__init__, "__defaults__", (*defaults[:-2], PART, None))
    speech = write_tone(tmp_path / "a.wav", 6)
    given = [str(ellipse_run), "--audio", str(speech), "-o", f"{tmp_path}/{output}"]
    with monkeypatch.context() as patched:
        Stopped(patched, 120)
        assert main(["render", *given, "--resume"]) == 130
    assert not (tmp_path / output).exists()
    assert main(["render", *given, "--resume"]) == 0
    said = capsys.readouterr().out
    there = int(said.split("150 frames (")[1].split()[0])
    assert there == 100 if output.endswith("4") else 110 <= there <= 120
    whole = tmp_path / "whole.mp4"
    render_speech(load_avatar(ellipse_run), speech, whole)
    if output.endswith("4"):
        np.testing.assert_array_equal(pictures(tmp_path / output), pictures(whole))
    else:
        assert len(list((tmp_path / output).glob("*.png"))) == 150
    assert not list(tmp_path.glob(".*"))
