"""Speech features by name, as ``--audio-features`` takes them and as avatars remember them."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from nerf_talker.audio.articulation import Articulation, Hearing
from nerf_talker.audio.extractor import Extractor
from nerf_talker.audio.logmel import LogMel
from nerf_talker.audio.mfcc import Mfcc
from nerf_talker.audio.phones import Phones
from nerf_talker.errors import AvatarError, InputError

DEFAULT = Hearing.kind
BUILT_IN: dict[str, Callable[[], Extractor]] = {
    LogMel.name: LogMel,
    Mfcc.name: Mfcc,
    Phones.name: Phones,
    Articulation.name: Articulation,
    Hearing.kind: Hearing,
}
_FILES = {"hf": "hf:FOLDER[:LAYER]", "npy": "npy:FILE@RATE"}


def make_extractor(given: str) -> Extractor:
    """The extractor that a user names.

    Args:
        given: A built-in name, ``hf:FOLDER[:LAYER]`` or ``npy:FILE@RATE``.

    Raises:
        InputError: No such name, or the extractor lacks a file or a library.
    """
    if given in BUILT_IN:
        return BUILT_IN[given]()
    kind, _, rest = given.partition(":")
    if kind == "hf" and rest:
        return _pretrained(rest)
    if kind == "npy" and rest:
        return _supplied(rest)
    near = get_close_matches(given, BUILT_IN, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    known = ", ".join((*BUILT_IN, *_FILES.values()))
    raise InputError(f"no speech features '{given}'; {hint}known are {known}")


def extractor_of_avatar(remembered: str, given: str | None) -> Extractor:
    """The extractor that an avatar was trained with.

    Args:
        remembered: Its name in the avatar.
        given: What the user names; needed where the features come from the user's files.

    Raises:
        AvatarError: The avatar was trained with other features, or they cannot be had by name.
        InputError: ``given`` names none, or it lacks a file or a library.
    """
    if given is not None:
        found = make_extractor(given)
        if found.name != remembered:
            raise AvatarError(
                f"the avatar was trained on the speech features '{remembered}', not on "
                f"'{found.name}'; name those that it knows with --audio-features"
            )
        return found
    kind = remembered.partition(":")[0]
    if kind in BUILT_IN:
        built_in = BUILT_IN[kind]()
        if built_in.name == remembered:
            return built_in
        raise AvatarError(
            f"the avatar was trained on the speech features '{remembered}', and this version has "
            f"'{built_in.name}'; train it again, or render with the version that made it"
        )
    if kind in _FILES:
        raise AvatarError(
            f"the avatar was trained on the speech features '{remembered}', which come from files "
            f"of yours; name them for this speech with --audio-features {_FILES[kind]}"
        )
    raise AvatarError(
        f"the avatar wants the speech features '{remembered}', "
        "which this version cannot compute; upgrade nerf-talker"
    )


def _pretrained(text: str) -> Extractor:
    from nerf_talker.audio.encoders import PretrainedEncoder

    folder, separator, layer = text.rpartition(":")
    if separator and layer.isdecimal():
        return PretrainedEncoder(Path(folder), int(layer))
    return PretrainedEncoder(Path(text), None)


def _supplied(text: str) -> Extractor:
    from nerf_talker.audio.supplied import Supplied

    path, separator, rate = text.rpartition("@")
    try:
        rows = float(rate)
    except ValueError:
        rows = 0.0
    if not separator or not 1 <= rows <= 1000:
        raise InputError(
            f"npy:{text}: say how many rows there are per second, from 1 to 1000, as in "
            f"npy:{path or text}@50"
        )
    return Supplied(Path(path), rows)
