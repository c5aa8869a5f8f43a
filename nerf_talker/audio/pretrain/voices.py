"""flite and festival: speech with the segment times that the synthesiser itself used."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nerf_talker.audio.pretrain.resample import to_rate
from nerf_talker.audio.pretrain.speech import Utterance, join_letters
from nerf_talker.errors import InputError

# Names of segments -> IPA letters.
RADIO = {
    **{"aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɚ", "ay": "aɪ"},
    **{"b": "b", "ch": "tʃ", "d": "d", "dh": "ð", "dx": "ɾ", "eh": "ɛ", "el": "l", "em": "m"},
    **{"en": "n", "er": "ɝ", "ey": "eɪ", "f": "f", "g": "ɡ", "hh": "h", "hv": "h", "ih": "ɪ"},
    **{"iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n", "nx": "n", "ng": "ŋ"},
    **{"ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ"},
    **{"uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ"},
}
ITALIAN = {
    **{"i": "i", "e": "e", "E": "ɛ", "a": "a", "o": "o", "O": "ɔ", "u": "u", "j": "j", "w": "w"},
    **{"p": "p", "t": "t", "k": "k", "b": "b", "d": "d", "g": "ɡ", "f": "f", "v": "v", "s": "s"},
    **{"z": "z", "S": "ʃ", "Z": "ʒ", "ts": "ts", "tS": "tʃ", "dz": "dz", "dZ": "dʒ", "m": "m"},
    **{"n": "n", "J": "ɲ", "ng": "ŋ", "nf": "ɱ", "l": "l", "L": "ʎ", "r": "r"},
}
CZECH = {
    **{"a": "a", "e": "ɛ", "i": "ɪ", "o": "o", "u": "u", "b": "b", "c": "ts", "c~": "tʃ"},
    **{"ch": "x", "d": "d", "d~": "ɟ", "dz": "dz", "dz~": "dʒ", "f": "f", "g": "ɡ", "h": "ɦ"},
    **{"j": "j", "k": "k", "l": "l", "m": "m", "n": "n", "n*": "ŋ", "n~": "ɲ", "p": "p"},
    **{"r": "r", "r~": "r", "r~*": "r", "s": "s", "s~": "ʃ", "t": "t", "t~": "c", "v": "v"},
    **{"z": "z", "z~": "ʒ"},
}
FINNISH = {
    **{"a": "ɑ", "e": "e", "i": "i", "o": "o", "u": "u", "y": "y", "@": "ə", "7": "ø", "&": "æ"},
    **{"p": "p", "t": "t", "k": "k", "b": "b", "d": "d", "g": "ɡ", "f": "f", "s": "s", "S": "ʃ"},
    **{"T": "θ", "D": "ð", "z": "z", "Z": "ʒ", "h": "h", "v": "ʋ", "m": "m", "n": "n", "N": "ŋ"},
    **{"l": "l", "L": "ʎ", "r": "r", "j": "j", "w": "w"},
}
CATALAN = {
    **{"ax": "ə", "a": "a", "e": "e", "E": "ɛ", "i": "i", "o": "o", "O": "ɔ", "u": "u"},
    **{"b": "b", "d": "d", "f": "f", "g": "ɡ", "j": "j", "J": "ɲ", "k": "k", "l": "l"},
    **{"L": "ʎ", "m": "m", "n": "n", "p": "p", "r": "ɾ", "rr": "r", "s": "s", "S": "ʃ"},
    **{"t": "t", "w": "w", "z": "z", "Z": "ʒ"},
}
PAUSES = ("#", "##", "_", "pau", "h#", "brth")


@dataclass(frozen=True)
class FestivalVoice:
    """A festival voice: its command, its language, its sounds and the encoding of its text."""

    command: str
    language: str
    sounds: dict[str, str]
    encoding: str
    package: str


FLITE = ("kal16", "awb", "rms", "slt")
FESTIVAL = (
    FestivalVoice("voice_ked_diphone", "en", RADIO, "ascii", "festvox-kdlpc16k"),
    FestivalVoice("voice_cmu_us_slt_arctic_hts", "en", RADIO, "ascii", "festvox-us-slt-hts"),
    FestivalVoice("voice_lp_diphone", "it", ITALIAN, "iso-8859-1", "festvox-italp16k"),
    FestivalVoice("voice_pc_diphone", "it", ITALIAN, "iso-8859-1", "festvox-itapc16k"),
    FestivalVoice("voice_czech_ph", "cs", CZECH, "iso-8859-2", "festvox-czech-ph"),
    FestivalVoice("voice_czech_dita", "cs", CZECH, "iso-8859-2", "festvox-czech-dita"),
    FestivalVoice("voice_suo_fi_lj_diphone", "fi", FINNISH, "iso-8859-1", "festvox-suopuhe-lj"),
    FestivalVoice("voice_upc_ca_ona_hts", "ca", CATALAN, "iso-8859-1", "festvox-ca-ona-hts"),
)


def flite_speaks(voice: str, text: str) -> Utterance:
    """Say an English sentence with flite.

    Raises:
        InputError: flite is not installed or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "said.wav"
        command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(out)]
        listed = _run(command, "flite").decode("ascii", "ignore").split()
        rate, samples = _read_wav(out)
    ends = [(name, float(end)) for name, _, end in (item.rpartition(":") for item in listed)]
    return _timed(samples, rate, ends, RADIO)


def festival_speaks(voice: FestivalVoice, texts: list[str]) -> list[Utterance]:
    """Say sentences with festival, in one call: starting it takes longer than a sentence.

    Raises:
        InputError: festival or the voice is not installed, or it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"({voice.command})"]
        for index, text in enumerate(texts):
            said = text.replace('"', "").replace("\\", "")
            lines += [
                f'(set! u (SynthText "{said}"))',
                f'(utt.save.segs u "{folder}/{index}.segs")',
                f'(utt.save.wave u "{folder}/{index}.wav" \'riff)',
            ]
        script = Path(folder) / "say.scm"
        script.write_bytes("\n".join(lines).encode(voice.encoding, "ignore"))
        _run(["festival", "--batch", str(script)], voice.package)
        return [
            _festival_result(Path(folder) / f"{index}", voice.sounds) for index in range(len(texts))
        ]


def _festival_result(stem: Path, sounds: dict[str, str]) -> Utterance:
    rate, samples = _read_wav(stem.with_suffix(".wav"))
    lines = stem.with_suffix(".segs").read_text(encoding="latin-1").splitlines()
    fields = [line.split() for line in lines]
    ends = [(part[2], float(part[0])) for part in fields if len(part) == 3]
    return _timed(samples, rate, ends, sounds)


def _timed(
    samples: np.ndarray, rate: int, ends: list[tuple[str, float]], sounds: dict[str, str]
) -> Utterance:
    """Segments are given by their ends; stress digits and length marks are dropped."""
    said: list[tuple[float, str]] = []
    start = 0.0
    for name, end in ends:
        plain = name if name in sounds else name.rstrip("1:")
        letters = "" if name in PAUSES else sounds[plain]
        for index, letter in enumerate(letters or [""]):
            said.append((start + (end - start) * index / max(len(letters), 1), letter))
        start = end
    said.append((start, ""))
    names, starts = join_letters([(0.0, ""), *said])
    return Utterance(to_rate(samples, rate), names, np.array(starts, np.float32))


def _read_wav(path: Path) -> tuple[int, np.ndarray]:
    from scipy.io import wavfile

    if not path.is_file():
        raise InputError(f"{path.stem}: the synthesiser wrote no sound")
    rate, samples = wavfile.read(path)
    return int(rate), samples


def _run(command: list[str], package: str) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=600)
    except FileNotFoundError:
        raise InputError(f"{command[0]} is not installed; install {package}") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "ignore").strip().splitlines()
        raise InputError(f"{command[0]} failed ({lines[-1:]}); install {package}")
    return done.stdout
