"""A folder of exported motion, complete or absent, written in constant memory."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from nerf_talker import __version__
from nerf_talker.drive.export.blendshapes import NAMES, blendshapes, origins
from nerf_talker.drive.export.mesh import WRITERS, face_landmarks
from nerf_talker.drive.parts import new_folder
from nerf_talker.drive.source import DrivingSource
from nerf_talker.errors import InputError
from nerf_talker.geometry.rotation import inverse_rigid, logarithm
from nerf_talker.train.avatar import Avatar
from nerf_talker.types import Driving, FloatArray

CHUNK = 50
HEAD = ("rx", "ry", "rz", "x", "y", "z")
TableFormat = Literal["csv", "json"]
MeshFormat = Literal["none", "obj", "ply"]


def export_motion(
    avatar: Avatar,
    source: DrivingSource,
    out: Path,
    table: TableFormat = "csv",
    mesh: MeshFormat = "none",
    landmarks: bool = False,
    quiet: bool = True,
) -> int:
    """Write what moves the avatar for other programs.

    ``blendshapes.csv`` or ``.json`` holds a row per frame: time, 52 ARKit blendshapes, and the
    head's place in the camera (rotation vector in degrees, position in metres; x right, y down, z
    away), as ``--pose`` reads it. ``about.json`` says where each blendshape comes from.
    ``landmarks.npy`` holds (T, 478, 3) canonical landmarks, ``mesh/`` a file per frame.

    Args:
        avatar: A loaded avatar.
        source: What moves it.
        out: A new or empty folder.
        table: Format of the table.
        mesh: Format of the meshes, or none.
        landmarks: Whether landmarks are written.
        quiet: No progress bar.

    Returns:
        How many frames there are.

    Raises:
        InputError: The folder holds other files, or is the one that the program runs in.
        AvatarError: Meshes or landmarks are wanted of an avatar that holds no face.
    """
    out = new_folder(Path(out))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: holds other files; give a new or empty folder")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _about(partial / "about.json", avatar, source)
        rows = _rows(partial, avatar, source, mesh, landmarks, quiet)
        writer = _write_csv if table == "csv" else _write_json
        writer(partial / f"blendshapes.{table}", rows, source.fps)
        if out.exists():
            out.rmdir()
        os.replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return len(source)


def head_places(driving: Driving) -> FloatArray:
    """(T, 6) rotation vector in degrees and position in metres of the head in the camera."""
    pose = inverse_rigid(driving.camera_to_head.double().numpy())
    turn = np.degrees(logarithm(pose[:, :3, :3]))
    return np.asarray(np.concatenate([turn, pose[:, :3, 3]], 1), np.float32)


def _rows(
    folder: Path, avatar: Avatar, source: DrivingSource, mesh: str, landmarks: bool, quiet: bool
) -> Iterator[list[float]]:
    """Scores and head place of every frame; meshes and landmarks are written on the way."""
    shape = (len(source), 478, 3)
    points = None
    if landmarks:
        points = np.lib.format.open_memmap(folder / "landmarks.npy", "w+", np.float32, shape)
    if mesh != "none":
        (folder / "mesh").mkdir()
    bar = tqdm(total=len(source), desc="export", unit="frame", disable=quiet)
    for start in range(0, len(source), CHUNK):
        stop = min(start + CHUNK, len(source))
        driving = source.chunk(start, stop)
        if points is not None or mesh != "none":
            found = face_landmarks(avatar, driving)
            if points is not None:
                points[start:stop] = found
            if mesh != "none":
                for frame, face in enumerate(found, start):
                    WRITERS[mesh](folder / "mesh" / f"{frame:06d}.{mesh}", face)
        scores = blendshapes(avatar, driving).numpy()
        yield from np.concatenate([scores, head_places(driving)], 1).tolist()
        bar.update(stop - start)
    bar.close()


def _about(path: Path, avatar: Avatar, source: DrivingSource) -> None:
    content: dict[str, Any] = {
        "subject": avatar.metadata.subject,
        "frames": len(source),
        "fps": source.fps,
        "blendshapes": origins(avatar),
        "head": "rotation vector in degrees, position in metres, in the camera: x right, y down, "
        "z away",
        "nerf_talker": __version__,
        "consent": avatar.metadata.consent,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _write_csv(path: Path, rows: Iterator[list[float]], fps: float) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["frame", "time", *NAMES, *HEAD])
        for frame, row in enumerate(rows):
            writer.writerow([frame, f"{frame / fps:.6f}", *(f"{value:.6f}" for value in row)])


def _write_json(path: Path, rows: Iterator[list[float]], fps: float) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f'{{"fps": {fps:g}, "names": {json.dumps([*NAMES, *HEAD])}, "frames": [')
        for frame, row in enumerate(rows):
            values = [round(value, 6) for value in row]
            comma = ",\n" if frame else "\n"
            stream.write(comma + json.dumps({"time": round(frame / fps, 6), "values": values}))
        stream.write("\n]}\n")
