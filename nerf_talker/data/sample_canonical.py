"""How ``sample_face.npz`` was made: the face mesh's geometry, read from MediaPipe's model file.

Only a developer needs this, and only to make the file again; the sample clip itself needs no model.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nerf_talker.atomic import atomic_path

_MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
_MESH, _VERTICES, _INDICES = 1, 3, 4


def write_canonical_face(model: Path, target: Path) -> None:
    """Writes vertices (468, 3) float32 in centimetres, y up, and triangles (898, 3) int16.

    Args:
        model: ``face_landmarker.task``, a zip archive that holds the mesh as a protocol buffer.
        target: The ``.npz`` to write.
    """
    with zipfile.ZipFile(model) as archive:
        message = archive.read(_MEMBER)
    mesh = next(value for field, value in _fields(message) if field == _MESH)
    parts = list(_fields(mesh))
    vertices = np.frombuffer(b"".join(v for f, v in parts if f == _VERTICES), "<f4")
    indices = [_number(v, 0)[0] for f, v in parts if f == _INDICES]
    with atomic_path(target) as temporary:
        np.savez_compressed(
            temporary,
            vertices=vertices.reshape(-1, 5)[:, :3],
            triangles=np.array(indices, np.int16).reshape(-1, 3),
        )


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and the place after it."""
    value, shift = 0, 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Field numbers and raw values of one protocol-buffer message."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        kind, start = key & 7, at
        if kind == 0:
            _, at = _number(message, at)
        elif kind == 5:
            at += 4
        else:
            length, start = _number(message, at)
            at = start + length
        yield key >> 3, message[start:at]
