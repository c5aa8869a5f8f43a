"""Which encoder, container and pixel format an output wants, decided before anything is rendered.

Outputs by name: ``.mp4`` and ``.m4v`` (H.264 or HEVC), ``.mov`` and ``.mkv`` (also ProRes, which is
4444 with alpha where the picture is transparent), ``.webm`` (VP9, with its alpha plane where
transparent), a name ending in ``/`` for a folder of PNG files, and ``-`` for plain frames on
standard output: YUV4MPEG2, or with the codec ``raw`` rows of RGB bytes, RGBA where transparent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from nerf_talker.drive.options import PLAIN, Codec, RenderOptions
from nerf_talker.errors import ConfigError, InputError

STANDARD_OUTPUT = "-"
TRANSPARENT = "transparent"


@dataclass(frozen=True)
class Coding:
    """How pictures become packets and where those go.

    Attributes:
        codec: Our name of it.
        encoder: FFmpeg's name of it.
        container: FFmpeg's name of the finished file's format.
        part: FFmpeg's name of the format of parts, which keeps every timestamp exactly.
        pixels: Pixel format given to the encoder.
        alpha: Whether pictures have a fourth channel.
        sound: FFmpeg's name of the sound's encoder.
        options: Of the encoder.
        bitrate: Bits per second; None where the quality is constant.
        movflags: Of the finished file.
    """

    codec: Codec
    encoder: str
    container: str
    part: str
    pixels: str
    alpha: bool = False
    sound: str = "aac"
    options: dict[str, str] = field(default_factory=dict)
    bitrate: int | None = None
    movflags: str | None = None


CONTAINERS: dict[str, tuple[Codec, ...]] = {
    ".mp4": ("h264", "hevc"),
    ".m4v": ("h264", "hevc"),
    ".mov": ("h264", "hevc", "prores"),
    ".mkv": ("h264", "hevc", "vp9", "prores"),
    ".webm": ("vp9",),
}
_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_WORST = {"h264": 51, "hevc": 51, "vp9": 63}
_BITRATE = re.compile(r"^(\d+(?:\.\d+)?)([kKmM]?)$")


def chosen_codec(out: str | Path, options: RenderOptions) -> Codec:
    """The codec that the output's name and the options ask for.

    Raises:
        InputError: The name's ending is not known, or is another codec's.
        ConfigError: Quality and bit rate that contradict or cannot be.
    """
    codec = _codec_of(out, options)
    _quality(codec, options)
    _bits(codec, options)
    return codec


def _codec_of(out: str | Path, options: RenderOptions) -> Codec:
    name, wanted = str(out), options.codec
    transparent = options.background == TRANSPARENT
    if name == STANDARD_OUTPUT:
        return _one_of(name, wanted, ("raw",) if transparent else ("y4m", "raw"))
    if name.endswith(("/", "\\")) or wanted == "png":
        return _one_of(name, wanted, ("png",))
    if not name:
        raise InputError("the output's name is empty; give a video file as talk.mp4")
    suffix = Path(name).suffix.lower()
    if Path(name).is_dir():
        raise InputError(
            f"{name}: is a folder; name the video file to write, or end the name with / to fill "
            "the folder with PNG files"
        )
    if suffix not in CONTAINERS:
        known = ", ".join(CONTAINERS)
        raise InputError(
            f"{name}: no known kind of output; end the name with one of {known}, with / for a "
            "folder of PNG files, or give - for frames on standard output"
        )
    codecs = CONTAINERS[suffix]
    if transparent and wanted == "auto":
        return "prores" if suffix in (".mov", ".mkv") else codecs[0]
    return _one_of(name, wanted, codecs)


def _one_of(name: str, wanted: Codec, codecs: tuple[Codec, ...]) -> Codec:
    if wanted == "auto":
        return codecs[0]
    if wanted in codecs:
        return wanted
    raise InputError(
        f"{name}: cannot hold {wanted}; leave --codec out or choose {' or '.join(codecs)}"
    )


def video_coding(out: Path, options: RenderOptions = PLAIN) -> Coding:
    """How a video file is coded.

    Raises:
        InputError: An unknown ending, or one that cannot hold what is asked for.
        ConfigError: Quality and bit rate that contradict or cannot be.
    """
    codec = chosen_codec(out, options)
    alpha = options.background == TRANSPARENT
    if alpha and codec not in ("vp9", "prores"):
        raise InputError(
            f"{out}: {codec} in this file cannot be transparent; write a .webm, a .mov or a "
            "folder of PNG files (name ending in /)"
        )
    bitrate = _bits(codec, options)
    container = _FORMATS[Path(out).suffix.lower()]
    made = _CODINGS[codec](container, alpha, _quality(codec, options), bitrate)
    _need(made.encoder)
    return made


def _quality(codec: Codec, options: RenderOptions) -> int | None:
    if options.crf is None or codec not in _WORST:
        if options.crf is not None:
            raise ConfigError(f"--crf: {codec} has no constant quality; leave it out")
        return None
    if not 0 <= options.crf <= _WORST[codec]:
        raise ConfigError(
            f"--crf {options.crf}: {codec} takes 0 (best) to {_WORST[codec]} (smallest)"
        )
    return options.crf


def _bits(codec: Codec, options: RenderOptions) -> int | None:
    if options.bitrate is None:
        return None
    if codec not in _WORST:
        raise ConfigError(f"--bitrate: {codec} has one rate of its own; leave it out")
    if options.crf is not None:
        raise ConfigError("--crf and --bitrate: choose one, quality or size")
    found = _BITRATE.match(options.bitrate)
    bits = float(found[1]) * {"": 1, "k": 1e3, "m": 1e6}[found[2].lower()] if found else 0
    if not 1e3 <= bits <= 1e9:
        raise ConfigError(f"--bitrate {options.bitrate}: write bits per second as 4M or 800k")
    return round(bits)


def _need(encoder: str) -> None:
    import av

    try:
        av.codec.Codec(encoder, "w")
    except ValueError:  # the base of av's error for a name it does not know
        raise InputError(
            f"the installed PyAV has no encoder {encoder}; choose another --codec or another "
            "ending of the output"
        ) from None


def _h264(container: str, alpha: bool, crf: int | None, bitrate: int | None) -> Coding:
    quality = {} if bitrate else {"crf": str(16 if crf is None else crf)}
    options = {**quality, "preset": "medium"}
    return Coding(
        "h264",
        "libx264",
        container,
        "mp4",
        "yuv420p",
        options=options,
        bitrate=bitrate,
        movflags="+faststart",
    )


def _hevc(container: str, alpha: bool, crf: int | None, bitrate: int | None) -> Coding:
    quality = {} if bitrate else {"crf": str(18 if crf is None else crf)}
    options = {**quality, "preset": "fast", "x265-params": "log-level=none"}
    return Coding(
        "hevc",
        "libx265",
        container,
        "mp4",
        "yuv420p",
        options=options,
        bitrate=bitrate,
        movflags="+faststart",
    )


def _vp9(container: str, alpha: bool, crf: int | None, bitrate: int | None) -> Coding:
    quality = {} if bitrate else {"crf": str(20 if crf is None else crf), "b": "0"}
    # Alternate reference frames cannot be together with an alpha plane.
    options = {**quality, "deadline": "good", "cpu-used": "4", "row-mt": "1", "auto-alt-ref": "0"}
    return Coding(
        "vp9",
        "libvpx-vp9",
        container,
        "webm",
        "yuva420p" if alpha else "yuv420p",
        alpha,
        "libopus",
        options,
        bitrate,
    )


def _prores(container: str, alpha: bool, crf: int | None, bitrate: int | None) -> Coding:
    profile = {"profile": "4444" if alpha else "hq", "vendor": "apl0"}
    pixels = "yuva444p10le" if alpha else "yuv422p10le"
    return Coding(
        "prores",
        "prores_ks",
        container,
        "mov",
        pixels,
        alpha,
        "pcm_s16le",
        profile | ({"alpha_bits": "16"} if alpha else {}),
    )


_CODINGS = {"h264": _h264, "hevc": _hevc, "vp9": _vp9, "prores": _prores}
