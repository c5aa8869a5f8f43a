"""Text to sound by a speech synthesiser that the user has: espeak-ng, flite or piper.

Each runs as a process of its own, without a shell; the text never is an argument.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nerf_talker.audio.sound import read_sound
from nerf_talker.errors import InputError

LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Synthesiser:
    """A program that speaks.

    Attributes:
        program: Its name on the PATH.
        package: What to install where it is missing.
        usual: Voice that is used when none is named; empty where one must be.
        arguments: Its command line after its name; ``{voice}``, ``{text}`` and ``{sound}`` stand
            for the voice and the paths of the text and of the WAV to write.
        from_stream: Whether the text goes to its standard input.
        listing: Option that lists its voices, where it takes an unknown one without a word.
    """

    program: str
    package: str
    usual: str
    arguments: tuple[str, ...]
    from_stream: bool
    listing: str = ""


SYNTHESISERS = {
    found.program: found
    for found in (
        Synthesiser(
            program="espeak-ng",
            package="the package espeak-ng",
            usual="en",
            arguments=("-v", "{voice}", "-w", "{sound}", "--stdin"),
            from_stream=True,
        ),
        Synthesiser(
            program="flite",
            package="the package flite",
            usual="slt",
            arguments=("-voice", "{voice}", "-f", "{text}", "-o", "{sound}"),
            from_stream=False,
            listing="-lv",
        ),
        Synthesiser(
            program="piper",
            package="piper (pip install piper-tts) and a voice of it",
            usual="",
            arguments=("--model", "{voice}", "--output_file", "{sound}"),
            from_stream=True,
        ),
    )
}


def speak(text: str, voice: str | None, sound: Path) -> None:
    """Write what is said as a WAV.

    Args:
        text: What to say.
        voice: ``NAME`` or ``NAME:VOICE`` of a synthesiser, e.g. ``espeak-ng:de``, ``flite:slt``,
            ``piper:voice.onnx``; None takes the first of espeak-ng and flite that is installed.
        sound: The file to write.

    Raises:
        InputError: Nothing to say, no such synthesiser or voice, or it is not installed.
    """
    if not text.strip():
        raise InputError("the text is empty; give --text something to say")
    synthesiser, name = choose(voice)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "text.txt"
        written.write_text(text, encoding="utf-8", errors="replace")
        places = {"voice": name, "text": str(written), "sound": str(sound)}
        command = [synthesiser.program, *(part.format(**places) for part in synthesiser.arguments)]
        try:
            done = _run(command, text if synthesiser.from_stream else "")
        except subprocess.TimeoutExpired:
            raise InputError(
                f"{synthesiser.program}: did not finish in {LIMIT_SECONDS} s; give a shorter text"
            ) from None
    said = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
    if done.returncode or not sound.is_file():
        raise InputError(
            f"{synthesiser.program}: cannot speak with the voice '{name}' "
            f"({said or f'exit code {done.returncode}'}); name another with --voice"
        )
    _check_heard(text, synthesiser, sound)


def choose(voice: str | None) -> tuple[Synthesiser, str]:
    """The synthesiser and the name of its voice.

    Raises:
        InputError: No such synthesiser, none installed, or one that needs a voice named.
    """
    if voice is None:
        installed = [n for n in ("espeak-ng", "flite") if shutil.which(n) is not None]
        if not installed:
            raise InputError(
                "no speech synthesiser is installed; install the package espeak-ng or flite, "
                "or give --audio"
            )
        voice = installed[0]
    name, _, wanted = voice.partition(":")
    if name not in SYNTHESISERS:
        raise InputError(
            f"no speech synthesiser '{name}'; --voice takes {', '.join(SYNTHESISERS)}, "
            "with a voice as espeak-ng:de"
        )
    found = SYNTHESISERS[name]
    if shutil.which(found.program) is None:
        raise InputError(f"{name} is not installed; install {found.package}")
    wanted = wanted or found.usual
    if not wanted or wanted.startswith("-"):
        raise InputError(f"{name} needs a voice; name it as --voice {name}:VOICE")
    if found.listing and not Path(wanted).is_file():
        listed = _run([found.program, found.listing], "").stdout.decode("utf-8", "replace")
        known = listed.partition(":")[2].split()
        if wanted not in known:
            raise InputError(f"{name} has no voice '{wanted}'; it has {', '.join(known)}")
    return found, wanted


def _run(command: list[str], text: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        input=text.encode(errors="replace"),
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def _check_heard(text: str, synthesiser: Synthesiser, sound: Path) -> None:
    shown = text.strip()[:40]
    try:
        samples = read_sound(sound)
    except InputError:
        samples = None
    if samples is None or not abs(samples).max() > 0:
        raise InputError(
            f"{synthesiser.program}: said nothing for '{shown}'; is the voice of its language?"
        )
