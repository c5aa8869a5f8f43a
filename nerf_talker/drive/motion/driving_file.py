"""A driving file: every channel of every driven frame, so that a video can be made again exactly.

An uncompressed NPZ with one array per channel of :class:`nerf_talker.types.Driving`, (T, ...) each,
and ``header``, a JSON text with the format's number, the frame rate and the writer's version.
Written in one pass and read where it lies, so any length takes constant memory.
"""

from __future__ import annotations

import json
import struct
import tempfile
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nerf_talker import __version__
from nerf_talker.atomic import atomic_path
from nerf_talker.drive.source import DrivingSource
from nerf_talker.errors import InputError
from nerf_talker.field.audio_encoder import WINDOW
from nerf_talker.field.expression import WIDTH
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.train.avatar import AvatarInfo
from nerf_talker.types import TORSO_MODES, Driving

FORMAT = 1
CHUNK = 50  # as many as are rendered at once, so that a network's sums are the same
CHANNELS = tuple(field.name for field in fields(Driving) if field.name != "fps")
NEEDED = ("expression", "camera_to_head", "torso_motion", "appearance")
_SLOWEST, _FASTEST = 1, 1000  # frames per second that a video may have
_LOCAL_HEADER = 30  # bytes of a ZIP member's own header before its name


def write_driving(path: Path, source: DrivingSource) -> None:
    """Write all frames of a source atomically.

    Raises:
        InputError: The path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the driving file to write, as moves.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "format": FORMAT,
        "fps": source.fps,
        "frames": len(source),
        "nerf_talker": __version__,
    }
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        kinds = _spool(Path(folder), source)
        with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            with archive.open("header.npy", "w") as member:
                np.lib.format.write_array(member, np.array(json.dumps(header)), allow_pickle=False)
            for name, (dtype, shape) in kinds.items():
                _pack(archive, Path(folder) / name, name, dtype, (len(source), *shape))


def _spool(folder: Path, source: DrivingSource) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Append every chunk's channels to a raw file each; returns dtype and row shape by name."""
    kinds: dict[str, tuple[Any, tuple[int, ...]]] = {}
    for start in range(0, len(source), CHUNK):
        driving = source.chunk(start, min(start + CHUNK, len(source)))
        found = {n: v for n in CHANNELS if isinstance(v := getattr(driving, n), Tensor)}
        for name, value in found.items():
            array = np.ascontiguousarray(value.numpy())
            kinds[name] = (array.dtype, array.shape[1:])
            with (folder / name).open("ab") as stream:
                stream.write(array.tobytes())
    return kinds


def _pack(
    archive: zipfile.ZipFile, raw: Path, name: str, dtype: Any, shape: tuple[int, ...]
) -> None:
    about = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member, raw.open("rb") as stream:
        np.lib.format.write_array_header_1_0(member, about)
        while block := stream.read(1 << 20):
            member.write(block)


# What NumPy and zipfile raise for damaged archives; RuntimeError is for ways of packing or locking
# that zipfile does not know.
_UNREADABLE = (
    KeyError,
    ValueError,
    OSError,
    EOFError,
    struct.error,
    zipfile.BadZipFile,
    RuntimeError,
)


class FileSource:
    """Frames of a driving file, read where they lie."""

    def __init__(self, path: Path, avatar: AvatarInfo) -> None:
        """Open and check a file for an avatar.

        Raises:
            InputError: Missing, damaged, of a newer version, or not for such an avatar.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{path}: no such driving file; write one with --dump-driving")
        try:
            self.header, self.arrays = _opened(self.path)
        except _UNREADABLE as error:
            raise InputError(
                f"{path}: a damaged driving file ({str(error) or type(error).__name__}); "
                "write it again with --dump-driving"
            ) from None
        self.codes = avatar.frames
        self._check(avatar)

    def _check(self, avatar: AvatarInfo) -> None:
        unknown = [name for name in self.arrays if name not in CHANNELS]
        if int(self.header["format"]) > FORMAT or unknown:
            raise InputError(f"{self.path}: written by a newer version; upgrade nerf-talker")
        missing = [name for name in NEEDED if name not in self.arrays]
        hears = avatar.config.mouth.source == "sound"
        if hears != ("code" in self.arrays):
            whose = ("sound", "landmarks") if hears else ("landmarks", "sound")
            raise InputError(
                f"{self.path}: the avatar's mouth learned from {whose[0]}, the file is of one that "
                f"learned from {whose[1]}; use the avatar that it was made for"
            )
        if not {"audio", "landmarks"} & set(self.arrays):
            missing.append("audio or landmarks")
        if missing:
            raise InputError(f"{self.path}: a damaged driving file (no {', '.join(missing)})")
        wanted: dict[str, tuple[int, ...]] = {
            "audio": (WINDOW, avatar.audio_features),
            "landmarks": (len(MOUTH_POINTS), 3),
            "expression": (WIDTH,),
            "camera_to_head": (4, 4),
            "torso_motion": (6,),
            "torso_bend": (TORSO_MODES,),
            "appearance": (),
            "code": (avatar.config.mouth.components,),
        }
        for name, array in self.arrays.items():
            if array.dtype.kind not in "fi" or not array.ndim:
                raise InputError(f"{self.path}: a damaged driving file ({name} holds no numbers)")
            if len(array) != len(self) or not len(self):
                raise InputError(
                    f"{self.path}: a damaged driving file ({name} has {len(array)} rows, "
                    f"the header says {len(self)} frames)"
                )
            if array.shape[1:] != wanted.get(name, array.shape[1:]):
                raise InputError(
                    f"{self.path}: {name} of {array.shape[1:]} a frame, the avatar wants "
                    f"{wanted[name]}; use the avatar that it was made for"
                )

    @property
    def fps(self) -> float:
        """Frames per second."""
        return float(self.header["fps"])

    def __len__(self) -> int:
        return int(self.header["frames"])

    def chunk(self, start: int, stop: int) -> Driving:
        """Frames [start, stop) as they were written.

        Raises:
            InputError: A value is not a finite number, or no appearance of the avatar.
        """
        channels: dict[str, Any] = dict.fromkeys(CHANNELS)
        for name, array in self.arrays.items():
            kind: Any = np.int64 if name == "appearance" else np.float32
            rows: npt.NDArray[Any] = np.array(array[start:stop], kind)
            if name == "appearance" and not ((rows >= 0) & (rows <= self.codes)).all():
                raise InputError(
                    f"{self.path}: appearance near frame {start} is none of the avatar's; "
                    "use the avatar that it was made for"
                )
            if not np.isfinite(rows).all():
                raise InputError(
                    f"{self.path}: {name} near frame {start} is not a finite number; "
                    "write it again with --dump-driving"
                )
            channels[name] = torch.from_numpy(rows)
        return Driving(**channels, fps=self.fps)


def _opened(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and arrays of a file whose check sums are right."""
    with zipfile.ZipFile(path) as archive:
        if (bad := archive.testzip()) is not None:
            raise ValueError(f"{bad} has a wrong check sum")
        members = {Path(info.filename).stem: info for info in archive.infolist()}
        with archive.open(members.pop("header")) as member:
            header = json.loads(str(np.lib.format.read_array(member, allow_pickle=False)))
    numbers: dict[str, Any] = {"format": int, "frames": int, "fps": (int, float)}
    if not isinstance(header, dict) or not all(
        isinstance(header.get(name), kind) for name, kind in numbers.items()
    ):
        raise ValueError("its header lacks entries")
    if not (_SLOWEST <= header["fps"] <= _FASTEST and header["frames"] > 0):
        raise ValueError(f"{header['frames']} frames at {header['fps']} a second in its header")
    return header, {name: _mapped(path, info) for name, info in members.items()}


def _mapped(path: Path, info: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """A stored member as a memory map; a compressed one is read."""
    if info.compress_type != zipfile.ZIP_STORED:
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[Path(info.filename).stem])
    with path.open("rb") as stream:
        stream.seek(info.header_offset)
        lengths = struct.unpack("<HH", stream.read(_LOCAL_HEADER)[26:])
        stream.seek(info.header_offset + _LOCAL_HEADER + sum(lengths))
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        return np.memmap(path, dtype, "r", stream.tell(), shape)
