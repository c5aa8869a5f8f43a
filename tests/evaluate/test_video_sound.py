from fractions import Fraction

import numpy as np
import pytest

from nerf_talker.errors import InputError
from nerf_talker.evaluate.sound import Sound, sound_notes, video_sound
from nerf_talker.evaluate.video_file import VideoFile

FPS, RATE = 25, 16000


def film(path, samples, late=0):
    """A second of grey pictures that begins ``late`` frames into (S,) int16 ``samples``."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.height = stream.width = 32
        stream.pix_fmt = "gray"
        voice = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        if len(samples):
            block = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
            block.sample_rate, block.pts, block.time_base = RATE, 0, Fraction(1, RATE)
            container.mux(voice.encode(block))
        container.mux(voice.encode())
        for number in range(FPS):
            shown = av.VideoFrame.from_ndarray(np.full((32, 32), number, np.uint8), "gray")
            shown.pts, shown.time_base = number + late, Fraction(1, FPS)
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return VideoFile.open(path)


def noise(count):
    return np.random.default_rng(0).integers(-9000, 9000, count).astype(np.int16)


def test_sound_begins_with_the_first_picture(tmp_path):
    heard = video_sound(film(tmp_path / "late.mkv", noise(RATE), late=10), None)
    assert np.abs(heard.samples - noise(RATE)[RATE * 10 // FPS :]).max() <= 1


@pytest.mark.parametrize("count, late", [(0, 0), (RATE // 5, 10)])
def test_a_track_without_any_sound_beside_the_pictures_is_silence(tmp_path, count, late):
    assert video_sound(film(tmp_path / "empty.mkv", noise(count), late), None) is None


def test_a_file_that_was_named_for_its_sound_must_have_some(tmp_path):
    video = film(tmp_path / "empty.mkv", noise(0))
    with pytest.raises(InputError, match="holds no sound"):
        video_sound(video, video.path)


def test_a_sound_that_ends_early_is_noted():
    (note,) = sound_notes(Sound(noise(RATE), RATE), 3 * FPS, FPS)
    assert "1.0 of 3.0 s" in note
    assert sound_notes(Sound(noise(RATE), RATE), FPS + 10, FPS) == []
    assert sound_notes(None, 3 * FPS, FPS) == []
