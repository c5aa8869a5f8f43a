"""Landmarks and masks that the user supplies as NPZ files instead of the models' results."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.data.labels import Label, is_head
from nerf_talker.errors import InputError
from nerf_talker.geometry import mesh
from nerf_talker.geometry.headshape import ellipsoid_depth
from nerf_talker.types import BoolArray, ByteArray, FloatArray


@dataclass(frozen=True)
class SuppliedLandmarks:
    """Landmarks of every frame.

    Attributes:
        landmarks: (F, 478, 3) pixels of the clip's frames; NaN rows where there is no face.
        blendshapes: (F, 52) or None.
        valid: (F,) bool.
    """

    landmarks: FloatArray
    blendshapes: FloatArray | None
    valid: BoolArray


def read_landmarks(path: Path) -> SuppliedLandmarks:
    """Read ``--landmarks``.

    Raises:
        InputError: Not an NPZ, a key is missing, or an array has another shape.
    """
    arrays = _read(path, ("landmarks",), ("blendshapes",))
    points = arrays["landmarks"].astype(np.float32)
    if points.ndim != 3 or points.shape[1] != mesh.POINTS or points.shape[2] not in (2, 3):
        raise InputError(
            f"{path}: landmarks have the shape {points.shape}; wanted (frames, 478, 2 or 3)"
        )
    if points.shape[2] == 2:
        depth = ellipsoid_depth(np.nan_to_num(points.astype(np.float64)))
        points = np.concatenate([points, depth[..., None].astype(np.float32)], -1)
    valid = np.asarray(np.isfinite(points).reshape(len(points), -1).all(1))
    shapes = arrays.get("blendshapes")
    if shapes is not None and shapes.shape != (len(points), 52):
        raise InputError(
            f"{path}: blendshapes have the shape {shapes.shape}; wanted ({len(points)}, 52)"
        )
    return SuppliedLandmarks(points, None if shapes is None else shapes.astype(np.float32), valid)


def read_masks(path: Path) -> tuple[ByteArray, ByteArray]:
    """Read ``--masks``.

    Returns:
        Class ids and the head matte from 0 to 255, each (F, H, W) uint8. A matte of floating point
        numbers is taken to run from 0 to 1.

    Raises:
        InputError: Not an NPZ, a key is missing, or an array has another shape or range.
    """
    arrays = _read(path, ("labels", "head_alpha"), ())
    labels, alpha = arrays["labels"], arrays["head_alpha"]
    if labels.ndim != 3 or labels.shape != alpha.shape:
        raise InputError(
            f"{path}: labels {labels.shape} and head_alpha {alpha.shape} must both be "
            "(frames, height, width)"
        )
    if labels.dtype.kind not in "iu":
        raise InputError(f"{path}: labels are {labels.dtype}; wanted whole numbers from 0 to 7")
    odd = labels[(labels < 0) | (labels > max(Label))]
    if odd.size:
        raise InputError(
            f"{path}: labels hold the class {int(odd.flat[0])}; wanted 0 background, 1 torso, "
            "2 hair, 3 face, 4 lips, 5 eyes, 6 neck, 7 accessories"
        )
    return labels.astype(np.uint8), _matte(path, alpha)


def read_mask_folder(folder: Path, frames: int | None = None) -> dict[int, MaskFile]:
    """Corrections of single frames: ``000123.png`` holds the class ids of the dataset's frame 123.

    Frames are counted from 0 as the dataset has them: at its rate, from the start of the scene
    that is used. ``000123_alpha.png`` beside it holds that frame's head matte from 0 to 255;
    without it, the matte follows from the classes. Both are 8-bit grey and as large as the clip's
    frames.

    Args:
        folder: Where they are.
        frames: Frames of the dataset; None while that is not known.

    Raises:
        InputError: A name is no frame number, or no frame of the dataset has it.
    """
    found = {}
    for path in sorted(folder.glob("*.png")):
        if path.stem.endswith("_alpha"):
            continue
        if not path.stem.isdecimal() or (frames is not None and int(path.stem) >= frames):
            known = "" if frames is None else f", 0 to {frames - 1}"
            raise InputError(
                f"{path}: masks are named after the dataset's frame{known}, like 000012.png"
            )
        alpha = path.with_name(f"{path.stem}_alpha.png")
        found[int(path.stem)] = MaskFile(path, alpha if alpha.is_file() else None)
    if not found:
        raise InputError(
            f"{folder}: holds no mask; name one after the dataset's frame, like 000012.png"
        )
    return found


@dataclass(frozen=True)
class MaskFile:
    """The files of one corrected frame; ``alpha`` may be missing."""

    labels: Path
    alpha: Path | None

    def read(self, height: int, width: int) -> tuple[ByteArray, ByteArray]:
        """Class ids and head matte, (height, width) uint8 each.

        Raises:
            InputError: A file is no grey picture of that size, or holds other classes.
        """
        import cv2

        labels = _grey_png(self.labels, height, width)
        if labels.max() > max(Label):
            raise InputError(
                f"{self.labels}: holds the class {labels.max()}; wanted 0 to {int(max(Label))}"
            )
        if self.alpha is not None:
            return labels, _grey_png(self.alpha, height, width)
        hard = 255 * is_head(labels).astype(np.uint8)
        return labels, np.asarray(cv2.GaussianBlur(hard, (0, 0), 0.7))


def _grey_png(path: Path, height: int, width: int) -> ByteArray:
    import cv2

    content = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
    if picture is None or picture.dtype != np.uint8 or picture.shape != (height, width):
        seen = "no readable picture" if picture is None else f"{picture.shape} {picture.dtype}"
        raise InputError(f"{path}: {seen}; wanted an 8-bit grey PNG of {width}x{height} px")
    return np.asarray(picture)


def _matte(path: Path, alpha: npt.NDArray[Any]) -> ByteArray:
    """``head_alpha`` as 0 to 255, whether it was supplied so or as 0.0 to 1.0."""
    kind, fraction = alpha.dtype.kind, alpha.dtype.kind == "f"
    if kind not in "iuf":
        raise InputError(f"{path}: head_alpha is {alpha.dtype}; wanted uint8 from 0 to 255")
    low, high = (alpha.min(), alpha.max()) if alpha.size else (0, 0)
    most = 1 if fraction else 255
    # Comparisons with NaN are false.
    if not (low >= 0 and high <= most):
        raise InputError(
            f"{path}: head_alpha runs from {low:g} to {high:g}; wanted uint8 from 0 to 255, or "
            "floating point from 0 to 1"
        )
    if high < 0.5 * most:
        raise InputError(
            f"{path}: head_alpha is nowhere above {high:g}, so there is no head; wanted uint8 from "
            "0 to 255, or floating point from 0 to 1"
        )
    return np.round(alpha * np.float32(255)).astype(np.uint8) if fraction else alpha.astype("u1")


def check_count(path: Path, given: int, frames: int) -> None:
    """Refuse a file whose frames are not those of the clip; a difference of 2 is tolerated.

    Raises:
        InputError: The numbers differ by more.
    """
    if abs(given - frames) > 2:
        raise InputError(
            f"{path}: holds {given} frames, the clip has {frames} at the dataset's frame rate; "
            "make it from the same clip"
        )


def _read(
    path: Path, needed: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, npt.NDArray[Any]]:
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give an npz file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = set(archive.files)
            missing = [key for key in needed if key not in names]
            if missing:
                raise InputError(
                    f"{path}: has no '{missing[0]}' (found: {', '.join(sorted(names))})"
                )
            return {key: archive[key] for key in (*needed, *optional) if key in names}
    except (ValueError, OSError, AttributeError, TypeError, EOFError, zipfile.BadZipFile):
        raise InputError(f"{path}: not a readable npz file") from None
