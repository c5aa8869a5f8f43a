"""An original of variable frame rate keeps the time of each frame, and the mouth its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.drive.coding import video_coding
from nerf_talker.drive.options import RenderOptions
from nerf_talker.drive.original import PinnedSource, open_original
from nerf_talker.drive.pixels import STANDARD
from nerf_talker.drive.resampling import between
from nerf_talker.drive.source_clip import SourceClip
from nerf_talker.drive.speech import render_speech
from nerf_talker.drive.video import SpeechVideo
from nerf_talker.train.avatar import save_avatar

from .media import pictures, sound_seconds, times
from .test_drive import write_tone
from .test_long import ends
from .test_paste_back import cropped_avatar, write_original

# Milliseconds of the original's frames: quick, slow, with a gap.
SHOWN = (0, 20, 40, 73, 140, 160, 300, 320, 333, 400)


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return cropped_avatar(ellipse_run)


@pytest.fixture(scope="module")
def uneven(ellipse, tmp_path_factory):
    path = tmp_path_factory.mktemp("uneven") / "original.mkv"
    return write_original(path, ellipse, shown=SHOWN)


def test_times_are_read_as_they_are(uneven):
    clip = SourceClip.open(uneven)
    assert not clip.is_even and clip.stray > 0.03
    assert [clip.seconds(n) for n in range(10)] == pytest.approx(np.asarray(SHOWN) / 1000)
    assert [clip.nearest(t) for t in (0, 0.03, 0.25, 0.31, 0.41)] == [0, 1, 5, 6, 9]
    assert [clip.nearest(clip.seconds(n) - 1e-9) for n in range(1, 10)] == list(range(1, 10))
    again = SHOWN[-1] / 1000 + 1 / clip.fps
    assert clip.nearest(again + 0.15) == 4


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.webm"])
def test_every_frame_is_shown_when_it_was(avatar, uneven, tmp_path, name):
    speech = write_tone(tmp_path / "a.wav", 1.0)
    made = render_speech(avatar, speech, tmp_path / name, options=RenderOptions(paste_back=uneven))
    there = list(SHOWN)
    back = [2 * SHOWN[-1] - shown for shown in SHOWN[-2::-1]]
    wanted = np.asarray(there + back + [800 + shown for shown in SHOWN[1:]]) / 1000
    wanted = wanted[wanted < 1.0]
    assert made.frames == len(wanted)
    np.testing.assert_allclose(times(tmp_path / name), wanted, atol=1.1e-3)
    assert sound_seconds(tmp_path / name) == pytest.approx(1.0, abs=0.07)


class Counted:
    """A mouth at 50 fps whose sound windows hold the frame's time in seconds."""

    fps = 50.0

    def __init__(self, poses, seconds):
        self.poses, self.frames = poses, round(seconds * 50)

    def __len__(self):
        return self.frames

    def chunk(self, start, stop):
        seconds = torch.arange(start, stop, dtype=torch.float32) / 50
        return replace(self.poses.select([0] * (stop - start)), audio=seconds.reshape(-1, 1, 1))


def test_mouth_and_head_are_those_of_the_time_at_which_a_frame_is_shown(avatar, uneven):
    original = open_original(avatar, uneven)
    source = PinnedSource(original, Counted(avatar.poses, 2.0))
    parts = [source.chunk(at, min(at + 7, len(source))) for at in range(0, len(source), 7)]
    heard = torch.cat([part.audio for part in parts]).flatten().numpy()
    shown = np.asarray([original.shown(number) for number in range(len(source))])
    assert (np.diff(shown) > 0).all() and shown[-1] < 2.0 <= original.shown(len(source)) + 1e-3
    assert np.abs(heard - shown).max() <= 0.0101
    filmed = torch.tensor(SHOWN) / 40
    wanted = between(avatar.poses, filmed)
    found = original.motion(range(10))
    torch.testing.assert_close(found.camera_to_head, wanted.camera_to_head, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.expression, wanted.expression, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "auto"), ("a.mp4", "hevc")])
def test_uneven_times_hold_across_parts_and_reordered_frames(tmp_path, name, codec):
    random = np.random.default_rng(0)
    wanted = np.cumsum(random.uniform(0.01, 0.09, 100))
    wanted -= wanted[0]
    sound, path = write_tone(tmp_path / "a.wav", 6.0), tmp_path / name
    coding = video_coding(path, RenderOptions(codec=codec))
    until = [*wanted, wanted[-1] + 0.04]
    with SpeechVideo(
        path, sound, 20, {}, coding, STANDARD, part=30, uneven=until.__getitem__
    ) as video:
        for number in range(100):
            video.write(np.full((16, 16, 3), 60 + number, np.uint8))
    np.testing.assert_allclose(times(path), wanted, atol=1e-4)
    shades = pictures(path)[:, 8, 8].astype(float).mean(-1)
    assert np.abs(shades - np.arange(60, 160)).max() < 3, "a frame is not where it belongs"
    _, _, begins, heard = ends(path)
    assert abs(begins) < 0.025 and heard == pytest.approx(until[-1], abs=0.04)


def test_frames_without_times_cannot_hold_them(avatar, uneven, tmp_path, capsys):
    saved = tmp_path / "avatar.safetensors"
    save_avatar(saved, avatar.talker, avatar.poses, avatar.metadata)
    speech = write_tone(tmp_path / "a.wav", 0.2)
    for output in (f"{tmp_path}/out/", "-"):
        given = ["--audio", str(speech), "--paste-back", str(uneven), "-o", output]
        assert main(["render", str(saved), *given]) == 1
        error = capsys.readouterr().err
        assert f"{uneven}: its frames come at uneven times" in error and error.count("\n") == 1
    assert not list(tmp_path.glob("*out*"))
