"""Streamed pictures are those of a file, wait for what they say, and hold no history."""

import numpy as np
import pytest

from nerf_talker.audio.sound import RATE, read_sound
from nerf_talker.drive.speech import speech_source
from nerf_talker.drive.stream import ROWS_AHEAD, SpeechStream
from nerf_talker.errors import ConfigError
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import load_avatar

from .test_drive import write_tone


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return load_avatar(ellipse_run)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return write_tone(tmp_path_factory.mktemp("speech") / "a.wav", 1.3)


@pytest.fixture(scope="module")
def offline(avatar, speech):
    source = speech_source(avatar, speech)
    frames = PortraitRenderer(avatar.talker).frames(source.chunk(0, len(source)))
    return np.stack([frame.rgb for frame in frames])


def streamed(stream, sound, length):
    made, latest = [], []
    for at in range(0, len(sound), length):
        done = stream.push(sound[at : at + length])
        assert done.first == sum(map(len, made))
        assert done.features_seconds > 0 and done.render_seconds >= 0
        made.append(done.pictures)
        latest.append((min(at + length, len(sound)), done.first + len(done.pictures)))
    made.append(stream.finish().pictures)
    return np.stack([picture.rgb for part in made for picture in part]), latest


@pytest.mark.parametrize("length", [640, 3000, 10**6])
def test_streamed_is_offline(avatar, speech, offline, length):
    stream = SpeechStream(avatar)
    found, latest = streamed(stream, read_sound(speech), length)
    assert found.shape == offline.shape
    assert np.abs(found - offline).max() < 1e-3
    for heard, shown in latest:
        # A frame comes when its look-ahead has been heard, a piece of sound later at the latest.
        due = (heard / RATE - stream.look_ahead) * stream.fps
        assert due - 1 < shown <= max(due + 1.5, 0)


def test_less_look_ahead_gives_the_same_however_the_sound_is_cut(avatar, speech, offline):
    sound, least = read_sound(speech), 0.016
    hasty = SpeechStream(avatar, look_ahead=least + 0.1)
    assert hasty.rows_ahead == 5 and hasty.look_ahead == pytest.approx(0.116)
    small, _ = streamed(hasty, sound, 640)
    whole, _ = streamed(SpeechStream(avatar, look_ahead=least + 0.1), sound, 10**6)
    assert np.abs(small - whole).max() < 1e-3
    assert small.shape == offline.shape
    assert SpeechStream(avatar, look_ahead=9).rows_ahead == ROWS_AHEAD
    with pytest.raises(ConfigError, match=r"alone need 0\.016 s"):
        SpeechStream(avatar, look_ahead=0.01)


def test_a_stream_forgets(avatar, monkeypatch):
    monkeypatch.setattr(PortraitRenderer, "frames", lambda self, driving: iter(range(len(driving))))
    stream = SpeechStream(avatar)
    piece = np.zeros(RATE, np.float32)
    shown = 0
    for _ in range(20):
        shown += len(stream.push(piece).pictures)
        assert len(stream._features.values) < 6 * 50
    assert shown + len(stream.finish().pictures) == 500
