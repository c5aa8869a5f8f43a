"""Features of a stream are those of the whole sound, however it is cut."""

from contextlib import suppress

import numpy as np
import pytest

from nerf_talker.audio import streaming
from nerf_talker.audio.articulation import Articulation, Hearing
from nerf_talker.audio.logmel import LogMel
from nerf_talker.audio.quality import block_levels
from nerf_talker.audio.registry import BUILT_IN
from nerf_talker.audio.sound import RATE, read_sound, stream_sound, write_wav
from nerf_talker.audio.streaming import (
    WindowedStream,
    feature_stream,
    features_of_file,
    levels_of_file,
)
from nerf_talker.audio.supplied import Supplied
from nerf_talker.errors import InputError


def noise(seconds, seed=0):
    generator = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    loud = 0.2 + 0.2 * np.sin(2 * np.pi * 3 * times)
    return (loud * generator.standard_normal(len(times))).clip(-1, 1).astype(np.float32)


def extractors():
    """All that can be named, but those whose files are not here."""
    made = []
    for make in BUILT_IN.values():
        with suppress(InputError):
            made.append(make())
    return made


def cut(samples, lengths):
    at = 0
    while at < len(samples):
        length = lengths[at % len(lengths)]
        yield samples[at : at + length]
        at += length


@pytest.mark.parametrize("extractor", extractors(), ids=lambda e: e.name)
@pytest.mark.parametrize("lengths", [(640,), (1, 5000, 333), (10**6,)])
def test_rows_do_not_depend_on_how_the_sound_is_cut(extractor, lengths):
    samples = noise(1.73)
    wanted = extractor.features(samples).values
    stream = feature_stream(extractor)
    rows, heard = [], 0
    for piece in cut(samples, lengths):
        rows.append(stream.push(piece))
        heard += len(piece)
        done = sum(map(len, rows))
        # Never earlier than the extractor says it can, and never later than a row more.
        latest = (heard / RATE - extractor.look_ahead) * extractor.rate
        assert latest - 2 <= done <= max(latest + 1, 0) + 1e-6
    rows.append(stream.finish())
    found = np.concatenate(rows)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-3)


@pytest.mark.parametrize("samples", [0, 1, 319, 320, 321])
def test_short_sounds_have_as_many_rows(samples):
    sound = noise(1)[:samples]
    for extractor in (LogMel(), Articulation(), Hearing()):
        stream = feature_stream(extractor)
        made = np.concatenate([stream.push(sound), stream.finish()])
        np.testing.assert_allclose(made, extractor.features(sound).values, atol=1e-4)


def test_a_stream_keeps_only_what_it_needs():
    stream = WindowedStream(LogMel())
    for piece in cut(noise(10), (1600,)):
        stream.push(piece)
        assert len(stream._sound) < RATE


def test_a_file_gives_the_features_of_its_sound(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "BLOCK", 2 * RATE)
    path = tmp_path / "a.wav"
    write_wav(path, noise(5.1))
    np.testing.assert_array_equal(np.concatenate(list(stream_sound(path))), read_sound(path))
    for extractor in (LogMel(), Articulation(), Hearing()):
        features, seconds = features_of_file(extractor, path)
        assert seconds == pytest.approx(5.1)
        wanted = extractor.features(read_sound(path))
        np.testing.assert_allclose(features.values, wanted.values, atol=1e-3)
        windows = features.windows([0.0, 2.0, 5.0], 30)
        np.testing.assert_allclose(windows, wanted.windows([0.0, 2.0, 5.0], 30), atol=1e-3)


@pytest.mark.parametrize("seconds", [0.01, 0.58, 4.0, 4.111])
def test_a_file_gives_the_levels_of_its_sound(tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(streaming, "BLOCK", 2 * RATE)
    path = tmp_path / "a.wav"
    write_wav(path, noise(seconds))
    np.testing.assert_allclose(levels_of_file(path), block_levels(read_sound(path)))


def test_supplied_features_are_no_stream(tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((50, 4), np.float32))
    supplied = Supplied(tmp_path / "f.npy", 50)
    with pytest.raises(InputError, match="a file of one whole sound"):
        feature_stream(supplied)
    write_wav(tmp_path / "a.wav", noise(1))
    assert features_of_file(supplied, tmp_path / "a.wav")[0].values.shape == (50, 4)
