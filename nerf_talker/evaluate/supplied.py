"""Readers for videos that come without a dataset: MediaPipe, the user's landmarks, or none."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nerf_talker.errors import InputError, WeightsError
from nerf_talker.evaluate.readers import FrameReader, LipReader, MediaPipeReader, Reading
from nerf_talker.geometry.mesh import POINTS, lip_gap
from nerf_talker.types import ByteArray, FloatArray


class SuppliedReader:
    """Landmarks from a file, one row per frame of its video; a row with NaN shows no face."""

    name = "supplied landmarks"
    missing_landmarks: str | None = None

    def __init__(self, path: Path, frames: int, scale: float) -> None:
        """Read the file.

        Args:
            path: NPZ with ``landmarks``, or NPY: (F, 478, 2 or 3) in pixels of the video. The NPZ
                may hold ``blendshapes`` (F, 52) in MediaPipe's order.
            frames: Frames of the video.
            scale: Pixels of the compared size per pixel of the video.

        Raises:
            InputError: The file is missing, holds something else, or too few frames.
        """
        points, scores = _read(path)
        if points.ndim != 3 or points.shape[1] != POINTS or points.shape[2] not in (2, 3):
            raise InputError(
                f"{path}: landmarks have the shape {points.shape}; wanted are (frames, {POINTS}, 2 "
                "or 3) pixels"
            )
        for rows in (points, scores):
            if rows is not None and len(rows) < frames:
                raise InputError(
                    f"{path}: holds {len(rows)} rows for {frames} frames; give one per frame"
                )
        self._points = points.astype(np.float32) * np.float32(scale)
        self._scores = None if scores is None else scores.astype(np.float32)

    @contextmanager
    def video(self) -> Iterator[FrameReader]:
        """The reader itself: it keeps no state between frames."""
        yield self

    def read(self, picture: ByteArray, frame: int) -> Reading | None:
        """See :class:`FrameReader`; the picture is not looked at."""
        points = self._points[frame]
        if not np.isfinite(points[:, :2]).all():
            return None
        scores = None if self._scores is None else self._scores[frame]
        return Reading(float(lip_gap(points)), points, scores)


class BlindReader:
    """Stands in where nothing can read faces; every figure of the face is then not measured."""

    name = "none"

    def __init__(self, reason: str) -> None:
        self.missing_landmarks: str | None = reason

    @contextmanager
    def video(self) -> Iterator[FrameReader]:
        """The reader itself."""
        yield self

    def read(self, picture: ByteArray, frame: int) -> Reading | None:
        """Nothing."""
        return None


@dataclass(frozen=True)
class ReaderFiles:
    """What reads one of two videos; small enough to send to another process.

    Attributes:
        models: Folder to look for model files in first.
        landmarks: The user's landmarks, or None for MediaPipe.
        frames: Frames of the video.
        scale: Pixels of the compared size per pixel of the video.
    """

    models: Path | None
    landmarks: Path | None
    frames: int
    scale: float

    def open(self, fetch: bool) -> LipReader:
        """The reader.

        Args:
            fetch: Whether to try a model's network sources after the folders.

        Raises:
            InputError: The user's landmarks do not fit.
        """
        if self.landmarks is not None:
            return SuppliedReader(self.landmarks, self.frames, self.scale)
        try:
            return MediaPipeReader(self.models, fetch)
        except (WeightsError, ImportError, OSError) as error:
            return BlindReader(" ".join(str(error).split()))


def _read(path: Path) -> tuple[FloatArray, FloatArray | None]:
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content, None
        with content:
            scores = content["blendshapes"] if "blendshapes" in content.files else None
            return content["landmarks"], scores
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give landmarks as NPZ or NPY") from None
    except KeyError:
        raise InputError(f"{path}: holds no array 'landmarks'; name it so") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        raise InputError(f"{path}: cannot be read as NPZ or NPY; save it with numpy") from None
