"""Head poses from a file of the user's, checked before anything is rendered.

Three forms are read, one row per video frame at the avatar's rate:

- ``.npy``: (T, 4, 4) camera-to-head transforms in metres, as in a dataset's ``track.npz``.
- ``.npz``: the same as ``camera_to_head``; or ``rotation`` (T, 3), rotation vectors in degrees,
  and ``translation`` (T, 3), metres: where the head is in the camera.
- ``.csv``: the columns ``rx, ry, rz, x, y, z``, the same rotation and translation; others are
  not looked at, so that what ``nerf-talker export`` writes can be read again.

Axes are the camera's: x right, y down, z away from it.
"""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nerf_talker.errors import InputError
from nerf_talker.geometry.rotation import exponential, inverse_rigid, rigid

COLUMNS = ("rx", "ry", "rz", "x", "y", "z")
_WANTED = "(T, 4, 4) camera_to_head, or rotation (T, 3) in degrees and translation (T, 3) in metres"
_STRAY = 1e-3  # how far a rotation's rows may be from orthonormal


def read_poses(path: Path) -> Tensor:
    """(T, 4, 4) float32 camera-to-head poses.

    Raises:
        InputError: No such file, not one of the three forms, empty, or a pose that is no rigid
            motion; the row is named.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such pose file; give one, or source, idle, fixed or generate to --pose"
        )
    if path.suffix == ".csv":
        poses = _from_table(path)
    elif path.suffix in (".npy", ".npz"):
        poses = _from_arrays(path)
    else:
        raise InputError(f"{path}: a pose file ends in .npy, .npz or .csv")
    _check(path, poses)
    return torch.from_numpy(poses.astype(np.float32))


def _from_arrays(path: Path) -> npt.NDArray[np.float64]:
    try:
        content = np.load(path, allow_pickle=False)
        arrays = {"camera_to_head": content} if isinstance(content, np.ndarray) else {**content}
        if "camera_to_head" in arrays:
            return np.asarray(arrays["camera_to_head"], np.float64)
        turn, shift = (np.asarray(arrays[k], np.float64) for k in ("rotation", "translation"))
    except KeyError as error:
        raise InputError(f"{path}: has no {error}; wanted is {_WANTED}") from None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: cannot be read as poses ({error}); wanted is {_WANTED}"
        ) from None
    if turn.shape != shift.shape or turn.shape[1:] != (3,):
        raise InputError(
            f"{path}: rotation {turn.shape} and translation {shift.shape}; wanted is {_WANTED}"
        )
    return _head_places(turn, shift)


def _from_table(path: Path) -> npt.NDArray[np.float64]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        values = np.asarray([[float(row[name]) for name in COLUMNS] for row in rows], np.float64)
    except KeyError as error:
        raise InputError(
            f"{path}: has no column {error}; wanted are {', '.join(COLUMNS)} (degrees, metres)"
        ) from None
    except (TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a table of numbers ({error})") from None
    return _head_places(values[:, :3], values[:, 3:]) if len(values) else np.zeros((0, 4, 4))


def _head_places(
    turn: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return inverse_rigid(rigid(exponential(np.radians(turn)), shift))


def _check(path: Path, poses: npt.NDArray[np.float64]) -> None:
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not len(poses):
        raise InputError(f"{path}: poses of shape {poses.shape}; wanted is {_WANTED}")
    rotation = poses[:, :3, :3]
    stray = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    faults = ~np.isfinite(poses).all((1, 2)) | ~(stray < _STRAY)
    faults |= ~(np.abs(poses[:, 3] - (0, 0, 0, 1)).max(1) < _STRAY)
    faults |= ~(np.linalg.det(np.where(np.isfinite(rotation), rotation, 0)) > 0)
    if faults.any():
        raise InputError(
            f"{path}: pose {int(faults.argmax())} is no rotation and shift; {_WANTED} is wanted"
        )
