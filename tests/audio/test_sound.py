"""Reading and writing sound, and the sentences for files that cannot be used."""

import numpy as np
import pytest

from nerf_talker.audio.sound import read_sound, read_sound_from, stream_sound, write_wav
from nerf_talker.errors import InputError


def tone(seconds, rate=16000, pitch=440.0):
    return (0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype("f4")


def test_wav_round_trip(tmp_path):
    samples = tone(0.7)
    write_wav(tmp_path / "a.wav", samples)
    back = read_sound(tmp_path / "a.wav")
    assert back.dtype == np.float32
    assert back.shape == samples.shape
    np.testing.assert_allclose(back, samples, atol=1e-4)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_other_rates_are_resampled(tmp_path):
    write_wav(tmp_path / "a.wav", tone(1.0, 44100), 44100)
    back = read_sound(tmp_path / "a.wav")
    assert abs(len(back) - 16000) < 40
    spectrum = np.abs(np.fft.rfft(back))
    assert np.argmax(spectrum) * 16000 / len(back) == pytest.approx(440, abs=2)


def test_start_cuts_or_pads(tmp_path):
    samples = tone(0.5)
    write_wav(tmp_path / "a.wav", samples)
    np.testing.assert_allclose(read_sound_from(tmp_path / "a.wav", 0.1), samples[1600:], atol=1e-4)
    early = read_sound_from(tmp_path / "a.wav", -0.1)
    assert len(early) == len(samples) + 1600
    assert not early[:1600].any()


def test_values_outside_are_clipped_and_bad_ones_silenced(tmp_path):
    write_wav(tmp_path / "a.wav", [2.0, -3.0, np.nan, 0.5])
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav"), [1, -1, 0, 0.5], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.wav", None, "no such file"),
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"this is no sound at all\n" * 40, "cannot be read as sound"),
    ],
)
def test_unusable_files_give_one_sentence(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_sound(tmp_path / name)


def test_a_wav_without_samples_is_refused(tmp_path):
    write_wav(tmp_path / "a.wav", [])
    with pytest.raises(InputError, match=r"holds no sound|cannot be read"):
        read_sound(tmp_path / "a.wav")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_sound(tmp_path)


def test_a_joined_file_may_change_its_rate(tmp_path):
    import av

    joined = b""
    for rate in (44100, 22050):
        path = tmp_path / f"{rate}.mp3"
        plain = {"write_xing": "0", "id3v2_version": "0"}
        with av.open(str(path), "w", options=plain) as made:
            stream = made.add_stream("mp3", rate=rate, layout="mono")
            for at in range(0, rate, 1152):
                times = (at + np.arange(1152)) / rate
                samples = (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(samples, format="s16p", layout="mono")
                frame.sample_rate, frame.pts = rate, at
                made.mux(stream.encode(frame))
            made.mux(stream.encode(None))
        joined += path.read_bytes()
    (tmp_path / "a.mp3").write_bytes(joined)
    samples = read_sound(tmp_path / "a.mp3")
    assert len(samples) / 16000 == pytest.approx(2, abs=0.2)
    for second in (0, 1):
        heard = samples[round((second + 0.3) * 16000) :][:8000]
        assert np.abs(np.fft.rfft(heard)).argmax() == pytest.approx(220, abs=1)


def encoded(path, codec, seconds=3, rate=44100, tags=None, moved=lambda at: at):
    """A file's bytes; ``moved`` gives the seconds of a packet anew, or None to leave it out."""
    import av

    def write(packets):
        for packet in packets:
            at = moved(float(packet.pts * packet.time_base))
            if at is not None:
                packet.pts = packet.dts = round(at / packet.time_base)
                made.mux(packet)

    noise = np.random.default_rng(0).standard_normal(seconds * rate)
    samples = (noise * np.linspace(100, 9000, len(noise))).clip(-32768, 32767).astype(np.int16)
    with av.open(str(path), "w", options=tags or {}) as made:
        stream = made.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate)
        for at in range(0, len(samples), 1152):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1152], "s16", "mono")
            frame.sample_rate, frame.pts = rate, at
            for part in resampler.resample(frame):
                write(stream.encode(part))
        write(stream.encode(None))
    return path.read_bytes()


CUT = {
    "a.wav": ("pcm_s16le", "promises 3.00 s of sound and holds 1.50 s"),
    "b.wav": ("pcm_f32le", "promises 3.00 s of sound and holds 1.50 s"),
    "a.aiff": ("pcm_s16be", "promises 3.00 s of sound and holds 1.50 s"),
    "a.mp3": ("mp3", "promises 3.0. s of sound and holds 1.[45]"),
    "a.mka": ("flac", "promises 3.00 s of sound and holds 1.[45]"),
    "a.flac": ("flac", "damaged after 1.[45]"),
    "a.m4a": ("aac", "cannot be read as sound"),
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_file_is_refused(tmp_path, name):
    content = encoded(tmp_path / name, CUT[name][0])
    assert len(read_sound(tmp_path / name)) == pytest.approx(48000, abs=500)
    path = tmp_path / f"cut{name[1:]}"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=CUT[name][1]) as caught:
        list(stream_sound(path, 48000))
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    if name == "a.mp3":  # behind a picture of the album
        path.write_bytes(b"ID3\4\0\0\0\0\x7f\x7f" + bytes(16383) + path.read_bytes())
        with pytest.raises(InputError, match="is cut off"):
            read_sound(path)


def wav_that_says(path, seconds, place, number):
    """A WAV of a tone with four bytes of its header replaced."""
    write_wav(path, tone(seconds))
    content = path.read_bytes()
    path.write_bytes(content[:place] + number.to_bytes(4, "little") + content[place + 4 :])
    return path


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF024, 0x7F000000])
def test_a_wav_that_was_streamed_is_read_to_its_end(tmp_path, size):
    path = wav_that_says(tmp_path / "a.wav", 0.8, 40, size)
    assert path.read_bytes()[36:40] == b"data"
    assert len(read_sound(path)) == 12800


def test_a_sound_a_little_shorter_than_it_says_is_read(tmp_path):
    path = tmp_path / "a.wav"
    write_wav(path, tone(2.0))
    path.write_bytes(path.read_bytes()[:-6400])
    assert len(read_sound(path)) == 28800
    content = encoded(tmp_path / "a.mp3", "mp3", tags={"write_xing": "0"})
    (tmp_path / "a.mp3").write_bytes(content[: len(content) // 2])
    assert len(read_sound(tmp_path / "a.mp3")) == pytest.approx(24000, abs=1000)


@pytest.mark.parametrize(
    "moved", [lambda at: at + 2, lambda at: None if 1 < at < 2 else at], ids=["late", "with a gap"]
)
@pytest.mark.parametrize("codec", ["flac", "pcm_s16le"])
def test_a_sound_that_begins_late_or_pauses_is_not_cut(tmp_path, codec, moved):
    content = encoded(tmp_path / "a.mka", codec, moved=moved)
    assert 31000 < len(read_sound(tmp_path / "a.mka")) < 49000
    (tmp_path / "b.mka").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="is cut off"):
        read_sound(tmp_path / "b.mka")


def test_a_length_that_was_guessed_is_no_promise(tmp_path):
    encoded(tmp_path / "a.mka", "mp3", seconds=6, tags={"live": "1"})
    assert len(read_sound(tmp_path / "a.mka")) == pytest.approx(96000, abs=2000)


@pytest.mark.parametrize("rate", [0, 1000, 88200 * 4])
def test_a_whole_wav_with_a_wrong_byte_rate_is_not_cut(tmp_path, rate):
    path = wav_that_says(tmp_path / "a.wav", 2.0, 28, rate)
    assert path.read_bytes()[12:16] == b"fmt "
    assert len(read_sound(path)) == 32000
