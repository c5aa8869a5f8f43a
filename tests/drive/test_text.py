"""Text becomes speech by a synthesiser of the user's, or one sentence says what is missing."""

import shutil
import stat

import pytest

from nerf_talker.audio.sound import read_sound
from nerf_talker.cli import main
from nerf_talker.drive.voices import SYNTHESISERS, speak
from nerf_talker.errors import InputError

from .test_drive import write_tone

NAMES = [n for n in ("espeak-ng", "flite") if shutil.which(n)]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "said.wav"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A function that puts a stand-in for a synthesiser on the path, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def write(name, *lines):
        path = folder / name
        path.write_text("\n".join(("#!/bin/sh", *lines)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    monkeypatch.setenv("PATH", str(folder))
    return write


@pytest.mark.parametrize("name", SYNTHESISERS)
def test_a_missing_synthesiser_is_named(program, out, name):
    with pytest.raises(InputError, match=f"{name} is not installed; install .*{name}"):
        speak("hello", f"{name}:x", out)


def test_none_installed_names_what_to_install(program, out):
    with pytest.raises(InputError, match="install the package espeak-ng or flite"):
        speak("hello", None, out)


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_empty_text_is_refused(text, out):
    with pytest.raises(InputError, match="the text is empty"):
        speak(text, None, out)


def test_unknown_synthesisers_and_missing_voices_are_refused(program, out):
    program("piper", "exit 0")
    with pytest.raises(InputError, match="no speech synthesiser 'siri'"):
        speak("hello", "siri", out)
    for voice in ("piper", "piper:", "piper:--help"):
        with pytest.raises(InputError, match="--voice piper:VOICE"):
            speak("hello", voice, out)


def test_the_text_is_data_and_never_a_command(program, out, tmp_path):
    words = "$(touch x); `id` --help 'quoted' \"twice\"\n-v nobody"
    sound = write_tone(tmp_path / "tone.wav", 0.5)
    program(
        "espeak-ng", f"/bin/cat > {tmp_path}/heard", f'printf "%s " "$@" > {tmp_path}/arguments',
        f"/bin/cp {sound} {out}",
    )  # fmt: skip
    speak(words, "espeak-ng:de", out)
    assert (tmp_path / "heard").read_text() == words
    assert (tmp_path / "arguments").read_text() == f"-v de -w {out} --stdin "


def test_a_failing_synthesiser_is_quoted(program, out):
    program("espeak-ng", "echo no such language >&2", "exit 3")
    with pytest.raises(InputError, match=r"voice 'xx' \(no such language\)"):
        speak("hello", "espeak-ng:xx", out)


def test_a_voice_that_says_nothing_is_refused(program, out, tmp_path):
    silent = write_tone(tmp_path / "tone.wav", 0.0)
    program("espeak-ng", f"/bin/cp {silent} {out}")
    with pytest.raises(InputError, match="said nothing for 'hello'"):
        speak("hello", "espeak-ng", out)


@pytest.mark.skipif(not NAMES, reason="no speech synthesiser is installed")
@pytest.mark.parametrize("name", NAMES)
def test_longer_text_takes_longer(name, out, tmp_path):
    speak("one", name, out)
    speak("one two three four five six seven", name, tmp_path / "long.wav")
    assert len(read_sound(tmp_path / "long.wav")) > 1.5 * len(read_sound(out)) > 0


@pytest.mark.skipif("flite" not in NAMES, reason="flite is not installed")
def test_flite_does_not_take_another_voice_silently(out):
    with pytest.raises(InputError, match="flite has no voice 'nobody'; it has "):
        speak("hello", "flite:nobody", out)


@pytest.mark.skipif(not NAMES, reason="no speech synthesiser is installed")
def test_text_becomes_a_video_with_sound(ellipse_run, tmp_path):
    import av

    out = tmp_path / "out.mp4"
    assert main(["render", str(ellipse_run), "--text", "hi", "-o", str(out)]) == 0
    with av.open(str(out)) as video:
        frames = sum(1 for _ in video.decode(video=0))
    with av.open(str(out)) as video:
        heard = sum(frame.samples / frame.sample_rate for frame in video.decode(audio=0))
    assert heard == pytest.approx(frames / 25, abs=0.06)


@pytest.mark.parametrize(
    ("given", "code", "sentence"),
    [
        ([], 2, "one is needed"),
        (["--text", "a", "--audio", "a.wav"], 2, "not both"),
        (["--voice", "flite", "--audio", "a.wav"], 2, "--voice speaks --text"),
        (["--driving", "a", "--audio", "a.wav", "--audio-features", "hearing"], 2, "leave --audio"),
        (["--text", " "], 1, "the text is empty"),
        (["--audio", "a.wav", "--mouth", "video"], 1, "--drive-video"),
    ],
)
def test_what_is_said_must_be_clear(
    ellipse_run, tmp_path, capsys, monkeypatch, given, code, sentence
):
    monkeypatch.chdir(tmp_path)
    write_tone(tmp_path / "a.wav", 0.3)
    assert main(["render", str(ellipse_run), "-o", "out.mp4", *given]) == code
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()
