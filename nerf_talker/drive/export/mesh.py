"""The driven face as a mesh of fixed topology: MediaPipe's 468 points and its triangles.

Meshes are in metres, x to the image's right, y up, z towards the viewer, with the head at rest;
where the head is in the camera is in the table of head poses.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from nerf_talker.errors import AvatarError
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.mesh import LEFT_EYE, LIPS, RIGHT_EYE
from nerf_talker.train.avatar import Avatar
from nerf_talker.train.face_model import design_rows
from nerf_talker.types import Driving, FloatArray

VERTICES = 468  # the irises' ten points belong to no triangle
_HOLES = (LIPS[20:], RIGHT_EYE, LEFT_EYE)
_AXES = np.asarray([1, -1, -1], np.float32)


@lru_cache(maxsize=1)
def triangles() -> npt.NDArray[np.int64]:
    """(N, 3) vertices of every triangle; mouth and eyes are open."""
    with resources.files("nerf_talker.data").joinpath("sample_face.npz").open("rb") as stream:
        stored = np.load(stream)["triangles"].astype(np.int64)
    filled = np.any([np.isin(stored, ring).all(1) for ring in _HOLES], 0)
    return np.asarray(stored[~filled])


def face_landmarks(avatar: Avatar, driving: Driving) -> FloatArray:
    """(T, 478, 3) canonical landmarks of driven frames, metres; the mouth as it is driven.

    A mouth that learned from the sound has no landmarks of its own: they are the face's then.

    Raises:
        AvatarError: The avatar was made before faces were kept in it.
    """
    if avatar.face is None:
        raise AvatarError(
            "the avatar holds no face mesh, since an older version made it; train it again, or "
            "export blendshapes alone"
        )
    points = avatar.face.landmarks(design_rows(avatar.talker, driving))
    if avatar.talker.learns_from == "audio":
        return np.asarray(points.numpy(), np.float32)
    if driving.landmarks is not None:
        points[:, list(MOUTH_POINTS)] = driving.landmarks
    else:
        with torch.no_grad():
            code = avatar.talker.mouth_code(driving.to(avatar.talker.background.device))
            points[:, list(MOUTH_POINTS)] = avatar.talker.mouth.landmarks(code).cpu()
    return np.asarray(points.numpy(), np.float32)


def write_obj(path: Path, landmarks: FloatArray) -> None:
    """One frame's (478, 3) landmarks as a Wavefront OBJ."""
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in landmarks[:VERTICES] * _AXES]
    lines += [f"f {a} {b} {c}" for a, b, c in triangles() + 1]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def write_ply(path: Path, landmarks: FloatArray) -> None:
    """One frame's (478, 3) landmarks as a binary PLY."""
    faces = triangles()
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {VERTICES}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.empty(len(faces), [("count", "u1"), ("vertices", "<i4", 3)])
    rows["count"], rows["vertices"] = 3, faces
    vertices = (landmarks[:VERTICES] * _AXES).astype("<f4")
    path.write_bytes(header.encode() + vertices.tobytes() + rows.tobytes())


WRITERS = {"obj": write_obj, "ply": write_ply}
