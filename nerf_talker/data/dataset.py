"""Reading a dataset folder: small arrays in memory, pictures memory-mapped as uint8.

The compressed videos are decoded once into ``cache/``; the cache is rebuilt when a video's size or
time of change differs, and may be deleted at any time.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from nerf_talker.atomic import atomic_path
from nerf_talker.data.eyes import EyeTrack
from nerf_talker.data.labels import is_head
from nerf_talker.data.manifest import DatasetFiles, Manifest, read_manifest
from nerf_talker.errors import DatasetError
from nerf_talker.types import (
    TORSO_GRID,
    TORSO_MODES,
    AudioFeatures,
    BoolArray,
    ByteArray,
    FloatArray,
    FrameTrack,
)

TRACK_KEYS = (
    "camera_to_head",
    "landmarks",
    "canonical_landmarks",
    "mean_shape",
    "blendshapes",
    "valid",
    "torso_motion",
)
PER_FRAME = tuple(key for key in TRACK_KEYS if key != "mean_shape")
BEND_KEYS = ("torso_modes", "torso_bend")
"""Datasets made before the torso could bend lack them."""


@dataclass(frozen=True)
class Dataset:
    """An opened dataset of F frames of H x W pixels.

    Attributes:
        root: The folder.
        manifest: What it holds and how it was made.
        track: Poses, landmarks and blendshapes per frame.
        mean_shape: (478, 3) metres, the rigid head shape in canonical head space.
        torso_motion: (F, 6) plate-to-frame affine, row-major 2x3, in units of the image size.
        audio: Speech features of the clip.
        frames: (F, H, W, 3) uint8 memory map.
        labels: (F, H, W) uint8 memory map of :class:`nerf_talker.data.labels.Label`.
        head_alpha: (F, H, W) uint8 memory map, soft head matte.
        background: (H, W, 3) uint8 clean plate.
        torso: (H, W, 4) uint8 torso plate.
        eyes: Openness, blinks and gaze; None in datasets made before they were kept.
        torso_modes: (K, G, G, 2) x, y displacements from frame to plate, in units of the image
            size, on a grid of rows and columns over the plate, its outer points on the edges.
        torso_bend: (F, K) how much of each mode a frame shows; zero in datasets made before.
    """

    root: Path
    manifest: Manifest
    track: FrameTrack
    mean_shape: FloatArray
    torso_motion: FloatArray
    audio: AudioFeatures
    frames: ByteArray
    labels: ByteArray
    head_alpha: ByteArray
    background: ByteArray
    torso: ByteArray
    eyes: EyeTrack | None
    torso_modes: FloatArray
    torso_bend: FloatArray

    @classmethod
    def open(cls, root: Path, quiet: bool = True) -> Dataset:
        """Open a dataset folder, decoding its videos into the cache when needed.

        Raises:
            DatasetError: A file is missing, damaged, or disagrees with the manifest.
        """
        root = Path(root)
        manifest = read_manifest(root)
        files = DatasetFiles(root)
        arrays = _track_arrays(files, manifest)
        track = _track(arrays, manifest)
        return cls(
            root,
            manifest,
            track,
            arrays["mean_shape"],
            arrays["torso_motion"],
            read_audio_features(files.audio_features),
            _cached(files, files.frames, manifest, 3, quiet),
            _cached(files, files.labels, manifest, 1, quiet),
            _cached(files, files.head_alpha, manifest, 1, quiet),
            _read_png(files.background, 3, manifest),
            _read_png(files.torso, 4, manifest),
            read_eyes(files.eyes, manifest.frames) if files.eyes.exists() else None,
            *_read_bend(files.track, manifest.frames),
        )

    def head_mask(self, frame: int) -> BoolArray:
        """(H, W) bool, the binary head mask (all but torso layer and background) of one frame."""
        return is_head(self.labels[frame])


def read_track(root: Path) -> FrameTrack:
    """Poses, landmarks and blendshapes of a dataset folder; its videos are not opened.

    Raises:
        DatasetError: A file is missing, damaged, or disagrees with the manifest.
    """
    manifest = read_manifest(Path(root))
    return _track(_track_arrays(DatasetFiles(Path(root)), manifest), manifest)


def _track_arrays(files: DatasetFiles, manifest: Manifest) -> dict[str, npt.NDArray[Any]]:
    arrays = _read_npz(files.track, TRACK_KEYS)
    for key in PER_FRAME:
        if len(arrays[key]) != manifest.frames:
            raise DatasetError(
                f"{files.track}: {key} has {len(arrays[key])} rows, the manifest says "
                f"{manifest.frames} frames; run 'nerf-talker preprocess' again"
            )
        _check_finite(files.track, key, arrays[key])
    return arrays


def _track(arrays: dict[str, npt.NDArray[Any]], manifest: Manifest) -> FrameTrack:
    return FrameTrack(
        manifest.camera.camera(),
        arrays["camera_to_head"],
        arrays["landmarks"],
        arrays["canonical_landmarks"],
        arrays["blendshapes"],
        arrays["valid"],
        manifest.fps,
    )


def read_audio_features(path: Path) -> AudioFeatures:
    """Speech features written by preprocessing.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    arrays = _read_npz(path, ("values", "rate", "extractor", "offset"))
    return AudioFeatures(
        arrays["values"].astype(np.float32),
        float(arrays["rate"]),
        str(arrays["extractor"]),
        float(arrays["offset"]),
    )


def read_eyes(path: Path, frames: int) -> EyeTrack:
    """The eyes as preprocessing wrote them.

    Raises:
        DatasetError: The file is missing or damaged, or has another number of frames.
    """
    arrays = _read_npz(path, ("openness", "span", "blinks", "gaze"))
    if len(arrays["openness"]) != frames:
        raise DatasetError(
            f"{path}: has {len(arrays['openness'])} rows, the manifest says {frames} frames; "
            "run 'nerf-talker preprocess' again"
        )
    return EyeTrack(**{key: values.astype(np.float32) for key, values in arrays.items()})


def _read_bend(path: Path, frames: int) -> tuple[FloatArray, FloatArray]:
    """``torso_modes`` and ``torso_bend``, zeros where the dataset has none."""
    shape = (TORSO_MODES, TORSO_GRID, TORSO_GRID, 2)
    with np.load(path, allow_pickle=False) as archive:
        if not set(BEND_KEYS) <= set(archive.files):
            return np.zeros(shape, np.float32), np.zeros((frames, TORSO_MODES), np.float32)
    modes, bend = _read_npz(path, BEND_KEYS).values()
    if modes.shape != shape or bend.shape != (frames, TORSO_MODES):
        raise DatasetError(
            f"{path}: torso_modes {modes.shape} and torso_bend {bend.shape} do not fit {frames} "
            f"frames and modes {shape}; run 'nerf-talker preprocess' again"
        )
    _check_finite(path, "torso_bend", bend)
    return modes.astype(np.float32), bend.astype(np.float32)


def _check_finite(path: Path, key: str, values: npt.NDArray[Any]) -> None:
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
    if len(bad):
        raise DatasetError(
            f"{path}: {key} of frame {bad[0]} is not a finite number; "
            "run 'nerf-talker preprocess' again"
        )


def _read_npz(path: Path, keys: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in keys}
    except FileNotFoundError:
        raise DatasetError(f"{path}: missing; run 'nerf-talker preprocess' again") from None
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path}: damaged ({error}); run 'nerf-talker preprocess' again"
        ) from None


def _read_png(path: Path, channels: int, manifest: Manifest) -> ByteArray:
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    size = manifest.size
    if picture is None or picture.shape != (size, size, channels):
        raise DatasetError(
            f"{path}: missing or not a {size}x{size} picture with {channels} channels; "
            "run 'nerf-talker preprocess' again"
        )
    order = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA
    return np.asarray(cv2.cvtColor(picture, order), np.uint8)


def _cached(
    files: DatasetFiles, video: Path, manifest: Manifest, channels: int, quiet: bool
) -> ByteArray:
    """The decoded frames of ``video`` as a memory map, made on first use."""
    if not video.is_file():
        raise DatasetError(f"{video}: missing; run 'nerf-talker preprocess' again")
    stat = video.stat()
    cached = files.cache / f"{video.stem}-{stat.st_size}-{stat.st_mtime_ns}.npy"
    shape = (manifest.frames, manifest.size, manifest.size, *((3,) if channels == 3 else ()))
    if not cached.is_file():
        _decode(video, cached, shape, quiet)
        for old in files.cache.glob(f"{video.stem}-*.npy"):
            if old != cached:
                old.unlink(missing_ok=True)
    pictures = np.load(cached, mmap_mode="r")
    if pictures.shape != shape:
        raise DatasetError(f"{cached}: unexpected shape {pictures.shape}; delete {files.cache}")
    return pictures


def _decode(video: Path, target: Path, shape: tuple[int, ...], quiet: bool) -> None:
    import av

    target.parent.mkdir(exist_ok=True)
    pixel_format = "rgb24" if len(shape) == 4 else "gray"
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    done = 0
    # A plain stream, not a writable memory map: on a full disk that would be a signal, no error.
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        try:
            with av.open(str(video)) as container:
                track = container.streams.video[0]
                track.thread_type = "NONE"
                frames = container.decode(track)
                for picture in tqdm(frames, f"decode {video.name}", shape[0], disable=quiet):
                    stream.write(picture.to_ndarray(format=pixel_format).tobytes())
                    done += 1
        except av.FFmpegError as error:
            raise DatasetError(
                f"{video}: frame {done} cannot be decoded ({error.strerror}); "
                "run 'nerf-talker preprocess' again"
            ) from None
        if done != shape[0]:
            raise DatasetError(
                f"{video}: holds {done} frames, the manifest says {shape[0]}; "
                "run 'nerf-talker preprocess' again"
            )
