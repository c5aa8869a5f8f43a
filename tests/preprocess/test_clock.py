"""One clock: clips of any frame rate, codec and sound keep time to their end."""

from fractions import Fraction

import numpy as np
import pytest

from nerf_talker.audio.sound import RATE, read_sound_from
from nerf_talker.preprocess.media import probe, steady_frames, timed_frames, upright

from .clips import BEEPS, SECONDS, Kind, beep_time, beeps, clock_of, with_clock, write_clip

UNEVEN = tuple(np.cumsum(np.tile([0.02, 0.05, 0.033, 0.04, 0.025], 40)) - 0.02)
KINDS = {
    "23.976": Kind(fps=Fraction(24000, 1001)),
    "24": Kind(fps=Fraction(24)),
    "25": Kind(),
    "29.97": Kind(fps=Fraction(30000, 1001)),
    "30": Kind(fps=Fraction(30)),
    "50": Kind(fps=Fraction(50)),
    "60": Kind(fps=Fraction(60)),
    "uneven": Kind(times=UNEVEN),
    "turned": Kind(turned=90),
    "turned back": Kind(turned=-90),
    "anamorphic": Kind(aspect=Fraction(2)),
    "8 kHz": Kind(rate=8000),
    "22.05 kHz": Kind(rate=22050),
    "44.1 kHz stereo": Kind(rate=44100, layout="stereo"),
    "48 kHz mov": Kind(suffix="mov", rate=48000),
    "hevc 10 bit": Kind(codec="libx265", pixels="yuv420p10le"),
    "webm": Kind(suffix="webm", codec="libvpx-vp9", sound="libopus", rate=48000),
    "mkv flac": Kind(suffix="mkv", sound="flac", rate=48000),
    "late sound": Kind(suffix="mkv", late=0.2),
}


def scene(second):
    y, x = np.mgrid[0:80, 0:128]
    picture = np.stack([60 + x, 90 + y, 200 - x], -1) + round(10 * np.sin(second))
    picture[60:, 100:] = (220, 30, 30)
    return with_clock(picture.astype(np.uint8), second)


@pytest.mark.parametrize("name", KINDS)
def test_picture_and_sound_keep_time_to_the_end(name, tmp_path):
    kind = KINDS[name]
    clip = write_clip(tmp_path / f"a.{kind.suffix}", scene, kind, sound_at=beeps)
    frames = list(steady_frames(clip, 25))
    assert abs(len(frames) - 25 * SECONDS) <= 1
    assert frames[0].shape == (80, 128, 3)
    red = frames[50][64:76, 106:122].reshape(-1, 3).mean(0)
    np.testing.assert_allclose(red, (220, 30, 30), atol=25)
    shown = np.array([clock_of(frame) for frame in frames])
    seen = np.mean(shown[-30:-2] - np.arange(len(frames))[-30:-2] / 25)
    start = next(iter(timed_frames(clip)))[0]
    samples = read_sound_from(clip, start)
    heard = np.mean([beep_time(samples, RATE, b + kind.late) - b for b in BEEPS[-3:]])
    assert abs(seen) < 0.02
    assert abs(heard - kind.late - seen) < 0.02


def test_every_frame_of_a_clip_at_the_datasets_rate_is_kept(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", scene, Kind())
    shown = [clock_of(frame) for frame in steady_frames(clip, 25)]
    np.testing.assert_allclose(shown, np.arange(len(shown)) / 25, atol=0.012)


def test_a_faster_dataset_repeats_frames(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", scene, Kind())
    assert abs(len(list(steady_frames(clip, 50))) - 50 * SECONDS) <= 2


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", scene, KINDS["anamorphic"], seconds=0.2)
    shot = next(iter(timed_frames(clip)))[1]
    assert (shot.frame.width, shot.pixel_aspect) == (64, 2)
    assert upright(shot).shape == (80, 128, 3)
    assert not probe(clip).high_dynamic_range


def test_hdr_is_told_from_sdr(tmp_path):
    kind = Kind(codec="libx265", pixels="yuv420p10le", curve=16)
    assert probe(write_clip(tmp_path / "a.mp4", scene, kind, seconds=0.2)).high_dynamic_range
