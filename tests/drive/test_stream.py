"""Streamed pictures are those of a file, wait for what they say, and hold no history."""

import numpy as np
import pytest

from nerf_talker.audio.quality import speech_level
from nerf_talker.audio.sound import RATE, read_sound, write_wav
from nerf_talker.drive.silence import KNOWN
from nerf_talker.drive.source import SpeechSource
from nerf_talker.drive.speech import heard_speech, speech_source
from nerf_talker.drive.stream import ROWS_AHEAD, SpeechStream
from nerf_talker.drive.stream_levels import SIZE, StreamLevels
from nerf_talker.errors import ConfigError, InputError
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import load_avatar

from .test_drive import write_tone
from .test_silence import at_level, humming, noise, with_pauses


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
    stream = SpeechStream(avatar, level=speech_level(read_sound(speech)))
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
    most = SpeechStream(avatar)
    assert SpeechStream(avatar, look_ahead=9).rows_ahead == most.rows_ahead >= ROWS_AHEAD
    assert KNOWN <= most.look_ahead < KNOWN + 0.02
    for wrong in (0.01, float("nan")):
        with pytest.raises(ConfigError, match=r"alone need 0\.016 s"):
            SpeechStream(avatar, look_ahead=wrong)


def test_a_stream_forgets(avatar, monkeypatch):
    monkeypatch.setattr(PortraitRenderer, "frames", lambda self, driving: iter(range(len(driving))))
    stream = SpeechStream(avatar)
    piece = np.zeros(RATE, np.float32)
    shown = 0
    for _ in range(35):
        shown += len(stream.push(piece).pictures)
        assert len(stream._features.values) < 6 * 50
    assert shown + len(stream.finish().pictures) == 875
    assert len(stream._levels.values) == 1500


def opened(avatar, sound, length, monkeypatch, **choices):
    """(T,) openness that a stream of pieces of some length gives its frames."""
    found = []

    class Kept(SpeechSource):
        def chunk(self, start, stop):
            found.extend(self.openness[start:stop].tolist())
            return super().chunk(start, stop)

    monkeypatch.setattr(PortraitRenderer, "frames", lambda self, driving: iter(range(len(driving))))
    stream = SpeechStream(avatar, make_source=lambda *a: Kept(avatar.talker, *a), **choices)
    for at in range(0, len(sound), length):
        stream.push(sound[at : at + length])
    stream.finish()
    return np.asarray(found)


@pytest.mark.parametrize("pause", [0.16, 0.4, 1.7])
@pytest.mark.parametrize("floor", [None, -50])
def test_a_stream_closes_the_mouth_as_a_file_does(avatar, tmp_path, monkeypatch, pause, floor):
    sound = with_pauses(pause)[0]
    sound = sound if floor is None else sound + noise(len(sound), floor)
    write_wav(tmp_path / "a.wav", sound)
    wanted = heard_speech(avatar, tmp_path / "a.wav")[1]
    assert (wanted.min() == 0) == (pause > 0.3)
    for length in (1000, 16001):
        found = opened(avatar, sound, length, monkeypatch)
        np.testing.assert_allclose(found, wanted, atol=1e-3)


@pytest.mark.parametrize("look_ahead", [0.05, 0.2, None])
def test_silence_closes_the_mouth_of_a_stream(avatar, monkeypatch, look_ahead):
    sound = np.concatenate([humming(2), np.zeros(3 * RATE, np.float32), humming(1)])
    found = opened(avatar, sound, 640, monkeypatch, look_ahead=look_ahead)
    assert len(found) == 150 and (found[:45] == 1).all() and (found[129:] == 1).all()
    late = 0.4 - (look_ahead or 0.4)
    assert (found[round((2.06 + late) * 25) : 122] == 0).all()
    assert np.abs(np.diff(found)).max() < 0.7, "a ramp, not a step"
    assert (opened(avatar, np.zeros(RATE), 640, monkeypatch) == 0).all()


def test_a_long_piece_is_as_many_short_ones(avatar, monkeypatch):
    sound = np.concatenate([with_pauses(0.7)[0] * factor for factor in (1, 0.3, 0.6, 1, 0.3)])
    found = [opened(avatar, sound, length, monkeypatch) for length in (8000, 10**6)]
    np.testing.assert_array_equal(*found)
    assert len(found[0]) == 1250 and (found[0] == 0).sum() > 15 * 14


def levelled(levels, sound, length):
    return np.concatenate(
        [levels.push(sound[at : at + length]) for at in range(0, len(sound), length)]
    )


@pytest.mark.parametrize("decibels", [-14, 0, 10])
def test_a_stream_is_brought_to_the_level_that_was_learned(decibels):
    sound = humming(8, 0.1) * 10 ** (decibels / 20)
    sound[2 * RATE : 4 * RATE] = noise(2 * RATE, -60)
    known = levelled(StreamLevels(-20.0, speech_level(sound)), sound, 700)
    np.testing.assert_allclose(known, at_level(sound, -20.0), rtol=1e-5)
    learned = levelled(StreamLevels(-20.0, None), sound, 700)
    np.testing.assert_array_equal(learned, levelled(StreamLevels(-20.0, None), sound, 10**6))
    apart = [abs(speech_level(learned[k * RATE :][:RATE]) + 20) for k in (0, 4, 7)]
    assert apart[2] <= max(0.25 * apart[0], 1.5) and apart[2] < 3, apart
    np.testing.assert_array_equal(learned[:SIZE], sound[:SIZE])
    np.testing.assert_array_equal(levelled(StreamLevels(np.inf, None), sound, 700), sound)


def test_what_cannot_be_heard_is_refused(avatar):
    for wrong in (-60.0, 3.0, float("nan")):
        with pytest.raises(ConfigError, match="speech has -43 to 0 dB"):
            SpeechStream(avatar, level=wrong)
    stream = SpeechStream(avatar)
    with pytest.raises(InputError, match="one channel"):
        stream.push(np.zeros((100, 2)))
    stream.push(np.zeros(RATE))
    with pytest.raises(InputError, match=r"not numbers, the first at 1\.00 s"):
        stream.push([np.nan, 0.0])
