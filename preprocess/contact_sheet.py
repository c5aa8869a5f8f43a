"""Pictures of a dataset for people: the contact sheet, and head and plates one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerf_talker.atomic import atomic_path
from nerf_talker.data.labels import Label
from nerf_talker.data.manifest import DatasetFiles, Manifest
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.plates import sampled, save_png
from nerf_talker.types import ByteArray, FloatArray

_TILE = 256
_TILES = 12
_COLUMNS = 4
TINTS = {
    Label.TORSO: (0, 170, 80),
    Label.HAIR: (190, 0, 200),
    Label.FACE: (255, 160, 0),
    Label.LIPS: (230, 0, 0),
    Label.EYES: (0, 200, 255),
    Label.NECK: (170, 220, 60),
    Label.ACCESSORIES: (255, 255, 0),
}


def write_contact_sheet(dataset: Path, manifest: Manifest) -> None:
    """Write ``contact_sheet.png``: frames with classes tinted, mesh dots, then the two plates."""
    files = DatasetFiles(dataset)
    with np.load(files.track) as track:
        landmarks = track["landmarks"]
    rows = sampled(range(manifest.frames), _TILES)
    pictures = _picked(files.frames, False, rows)
    labels = _picked(files.labels, True, rows)
    scale = _TILE / manifest.size
    tiles = [
        _tile(picture, classes, landmarks[row] * scale)
        for picture, classes, row in zip(pictures, labels, rows, strict=True)
    ]
    tiles += [plate_picture(files.background), plate_picture(files.torso)]
    while len(tiles) % _COLUMNS:
        tiles.append(np.full((_TILE, _TILE, 3), 255, np.uint8))
    lines = [np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)]
    with atomic_path(files.contact_sheet) as temporary:
        save_png(temporary, np.vstack(lines))


def _picked(video: Path, grey: bool, rows: list[int]) -> list[ByteArray]:
    return list(read_video(video, grey, set(rows)))


def _tile(picture: ByteArray, labels: ByteArray, landmarks: FloatArray) -> ByteArray:
    import cv2

    blend = cv2.resize(picture, (_TILE, _TILE), interpolation=cv2.INTER_AREA).astype(np.float32)
    classes = cv2.resize(labels, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
    for label, tint in TINTS.items():
        blend[classes == label] = 0.7 * blend[classes == label] + 0.3 * np.array(tint)
    tile = np.ascontiguousarray(blend.astype(np.uint8))
    for x, y in np.round(landmarks[:, :2] * 8).astype(int):
        cv2.circle(tile, (int(x), int(y)), 6, (255, 255, 255), -1, cv2.LINE_AA, 3)
    return tile


def plate_picture(path: Path) -> ByteArray:
    """A plate at the size of a tile; where it is clear, white."""
    import cv2

    content = np.frombuffer(path.read_bytes(), np.uint8)
    plate = np.asarray(cv2.imdecode(content, cv2.IMREAD_UNCHANGED))
    plate = cv2.resize(plate, (_TILE, _TILE), interpolation=cv2.INTER_AREA).astype(np.float32)
    if plate.shape[-1] == 4:
        alpha = plate[..., 3:] / 255
        plate = plate[..., :3] * alpha + 255 * (1 - alpha)
    return np.asarray(plate[..., ::-1].astype(np.uint8))


def matte_pictures(files: DatasetFiles, frames: int, count: int) -> list[ByteArray]:
    """The head alone, by its soft matte, on plain grey, in ``count`` frames of the clip."""
    import cv2

    rows = sampled(range(frames), count)
    found = []
    pictures, mattes = _picked(files.frames, False, rows), _picked(files.head_alpha, True, rows)
    for picture, matte in zip(pictures, mattes, strict=True):
        alpha = matte[..., None].astype(np.float32) / 255
        alone = np.asarray(picture * alpha + 128 * (1 - alpha), np.uint8)
        small = cv2.resize(alone, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
        found.append(np.asarray(small, np.uint8))
    return found
