"""Frames at a constant rate from clips of any rate, and clips that cannot be used."""

import numpy as np
import pytest

from nerf_talker.data.manifest import CropTransform
from nerf_talker.errors import InputError
from nerf_talker.preprocess import pipeline
from nerf_talker.preprocess.framing import choose_crop
from nerf_talker.preprocess.media import VideoWriter, crop_resize, probe, read_video, steady_frames
from nerf_talker.preprocess.options import PreprocessOptions

from .tiny import write_tiny, write_video


def greys(values):
    return [np.full((64, 64, 3), value, np.uint8) for value in values]


def test_a_steady_clip_is_taken_frame_by_frame(tmp_path):
    values = np.linspace(20, 230, 40).astype(int)
    write_video(tmp_path / "a.mp4", greys(values), sound=False)
    seen = [frame.mean() for frame in steady_frames(tmp_path / "a.mp4", 25)]
    np.testing.assert_allclose(seen, values, atol=3)


def test_variable_rate_follows_the_timestamps(tmp_path):
    times = np.concatenate([np.arange(20) / 50, 0.4 + np.arange(30) / 12.5])
    values = 20 + 60 * times
    write_video(tmp_path / "a.mp4", greys(values), sound=False, times=times)
    seen = np.array([frame.mean() for frame in steady_frames(tmp_path / "a.mp4", 25)])
    assert abs(len(seen) - 25 * (times[-1] + 0.08)) <= 1.5
    np.testing.assert_allclose(seen, 20 + 60 * np.arange(len(seen)) / 25, atol=60 * 0.045 + 3)


@pytest.mark.parametrize("grey", [True, False])
def test_dataset_videos_round_trip(tmp_path, grey):
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 255, (5, 8, 8, 3), np.uint8), np.ones((1, 8, 8, 1), np.uint8))
    frames = smooth[..., 0] if grey else smooth
    with VideoWriter(tmp_path / "a.mkv", 64, 25, grey) as writer:
        for frame in frames:
            writer.write(frame)
    back = np.stack(list(read_video(tmp_path / "a.mkv", grey)))
    error = np.abs(back.astype(int) - frames)
    assert error.max() == 0 if grey else error.mean() < 4


def test_crop_is_the_named_square():
    picture = np.zeros((50, 80, 3), np.uint8)
    picture[10:30, 40:60] = 200
    crop = CropTransform(left=40, top=10, side=20, source_width=80, source_height=50)
    assert (crop_resize(picture, crop, 20) == 200).all()
    assert (crop_resize(picture, crop, 10) == 200).all()


def test_portraits_are_kept_whole_and_wide_pictures_cropped():
    whole = choose_crop([(140, 150, 370, 420)] * 5, 512, 512)
    assert (whole.left, whole.top, whole.side) == (0, 0, 512)
    small = choose_crop([(280, 130, 490, 370)] * 5, 700, 700)
    assert 400 < small.side < 600
    assert small.left + small.side <= 700 and small.top >= 0
    wide = choose_crop([(900, 300, 1100, 550)] * 5, 1920, 1080)
    assert wide.left <= 900 and wide.left + wide.side >= 1100


def refused(clip, tmp_path, match, **changes):
    with pytest.raises(InputError, match=match) as caught:
        pipeline.preprocess(clip, tmp_path / "out", PreprocessOptions(quiet=True, **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_unusable_clips_are_refused_in_one_sentence(tmp_path):
    tiny = write_tiny(tmp_path / "clip")
    text = tmp_path / "text.mp4"
    text.write_text("not a film\n" * 100)
    refused(tmp_path / "none.mp4", tmp_path, "no such file")
    refused(text, tmp_path, "is not a video that can be read")
    only_sound = tmp_path / "a.wav"
    from nerf_talker.audio.sound import write_wav

    write_wav(only_sound, np.zeros(16000))
    refused(only_sound, tmp_path, "has no video track")
    short = write_tiny(tmp_path / "short", frames=30)
    marks = {"landmarks": short.landmarks, "masks": short.masks}
    refused(short.clip, tmp_path, r"is 1\.20 s long", **marks)
    refused(tiny.clip, tmp_path, "holds 30 frames", **marks)


@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_cut_off_clip_is_refused(tmp_path, share):
    tiny = write_tiny(tmp_path / "clip")
    content = tiny.clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: int(share * len(content))])
    refused(cut, tmp_path, r"damaged|cut off", landmarks=tiny.landmarks, masks=tiny.masks)


def test_probe_tells_sound_from_silence(tmp_path):
    write_video(tmp_path / "a.mp4", greys(range(50)), sound=False)
    write_video(tmp_path / "b.mp4", greys(range(50)), sound=True)
    assert not probe(tmp_path / "a.mp4").has_sound
    assert probe(tmp_path / "b.mp4").has_sound
