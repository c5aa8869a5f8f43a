"""What people look at after preprocessing: a contact sheet and a self-contained page."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

import numpy as np

from nerf_talker.atomic import atomic_path
from nerf_talker.data.labels import Label
from nerf_talker.data.manifest import DatasetFiles, Manifest
from nerf_talker.geometry.mesh import lip_gap
from nerf_talker.geometry.rotation import Array, logarithm
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.plates import sampled, save_png
from nerf_talker.types import ByteArray, FloatArray

_TILE = 256
_TILES = 12
_COLUMNS = 4
_TINTS = {Label.TORSO: (0, 170, 80), Label.HAIR: (190, 0, 200), Label.FACE: (255, 160, 0)}
_BLINKS = (9, 10)

_STYLE = """body{font:15px/1.5 sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#222}
img{max-width:100%}table{border-collapse:collapse}td,th{padding:.2em 1em .2em 0;text-align:left;
vertical-align:top;border-bottom:1px solid #ddd}svg{width:100%;height:120px;background:#f7f7f7}
.warn{color:#a40}small{color:#666}"""


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
    tiles += [_plate_tile(files.background), _plate_tile(files.torso)]
    while len(tiles) % _COLUMNS:
        tiles.append(np.full((_TILE, _TILE, 3), 255, np.uint8))
    lines = [np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)]
    with atomic_path(files.contact_sheet) as temporary:
        save_png(temporary, np.vstack(lines))


def write_report(dataset: Path, manifest: Manifest) -> None:
    """Write ``report.html``; everything it shows is inside the file."""
    files = DatasetFiles(dataset)
    with np.load(files.track) as track:
        page = _page(manifest, _curves(track), files.contact_sheet.read_bytes())
    with atomic_path(files.report) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _picked(video: Path, grey: bool, rows: list[int]) -> list[ByteArray]:
    return list(read_video(video, grey, set(rows)))


def _tile(picture: ByteArray, labels: ByteArray, landmarks: FloatArray) -> ByteArray:
    import cv2

    blend = cv2.resize(picture, (_TILE, _TILE), interpolation=cv2.INTER_AREA).astype(np.float32)
    classes = cv2.resize(labels, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
    for label, tint in _TINTS.items():
        blend[classes == label] = 0.7 * blend[classes == label] + 0.3 * np.array(tint)
    tile = np.ascontiguousarray(blend.astype(np.uint8))
    for x, y in np.round(landmarks[:, :2] * 8).astype(int):
        cv2.circle(tile, (int(x), int(y)), 6, (255, 255, 255), -1, cv2.LINE_AA, 3)
    return tile


def _plate_tile(path: Path) -> ByteArray:
    import cv2

    content = np.frombuffer(path.read_bytes(), np.uint8)
    plate = np.asarray(cv2.imdecode(content, cv2.IMREAD_UNCHANGED))
    plate = cv2.resize(plate, (_TILE, _TILE), interpolation=cv2.INTER_AREA).astype(np.float32)
    if plate.shape[-1] == 4:
        alpha = plate[..., 3:] / 255
        plate = plate[..., :3] * alpha + 255 * (1 - alpha)
    return np.asarray(plate[..., ::-1].astype(np.uint8))


def _curves(track: Any) -> list[tuple[str, dict[str, Array]]]:
    """Named groups of curves over the clip."""
    poses = track["camera_to_head"].astype(np.float64)
    turn = -np.degrees(logarithm(poses[:, :3, :3]))
    places = 100 * poses[:, :3, 3]
    return [
        ("Rotation in degrees", dict(zip(("pitch", "yaw", "roll"), turn.T, strict=True))),
        ("Camera position in head space, cm, mean removed",
         dict(zip("xyz", (places - places.mean(0)).T, strict=True))),
        ("Lip gap (inner lips / outer eye distance)", {"gap": lip_gap(track["landmarks"])}),
        ("Blink", {"blink": track["blendshapes"][:, list(_BLINKS)].mean(1)}),
    ]  # fmt: skip


def _svg(curves: dict[str, Array]) -> str:
    """An inline SVG of curves over time on one scale."""
    low = min(float(curve.min()) for curve in curves.values())
    high = max(float(curve.max()) for curve in curves.values())
    colours = ("#1f77b4", "#d62728", "#2ca02c")
    parts = []
    for (name, curve), colour in zip(curves.items(), colours, strict=False):
        x = np.linspace(0, 1000, len(curve))
        y = 115 - 110 * (curve - low) / max(high - low, 1e-9)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="1" points="{points}">'
            f"<title>{html.escape(name)}</title></polyline>"
        )
    legend = ", ".join(
        f'<span style="color:{c}">{html.escape(n)}</span>'
        for n, c in zip(curves, colours, strict=False)
    )
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 1000 120" preserveAspectRatio="none">{body}</svg>'
        f"<small>{legend}; from {low:.3g} to {high:.3g}</small>"
    )


def _page(manifest: Manifest, curves: list[tuple[str, dict[str, Array]]], sheet: bytes) -> str:
    picture = base64.b64encode(sheet).decode()
    warnings = "".join(f'<li class="warn">{html.escape(text)}</li>' for text in manifest.warnings)
    splits = ", ".join(f"{name} {a}-{b - 1}" for name, (a, b) in manifest.splits.items())
    graphs = "".join(f"<h3>{html.escape(name)}</h3>{_svg(group)}" for name, group in curves)
    stages = "".join(
        f"<tr><td>{name}</td><td><span class='took'>{record.seconds:.1f} s</span></td>"
        f"<td>{html.escape(_notes(record.notes))}</td></tr>"
        for name, record in manifest.stages.items()
    )
    title = html.escape(f"Dataset {manifest.subject}")
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>{_STYLE}</style><h1>{title}</h1>
<p>{manifest.frames} frames at {manifest.fps:g} fps ({manifest.frames / manifest.fps:.1f} s),
{manifest.size}x{manifest.size} px, from {html.escape(manifest.source)}; crop
{manifest.crop.side:.0f} px at ({manifest.crop.left:.0f}, {manifest.crop.top:.0f}) of
{manifest.crop.source_width}x{manifest.crop.source_height}. Splits: {splits}.
Prepared in <span class="took">{manifest.preprocess_seconds:.0f} s</span>.</p>
<ul>{warnings or "<li>no warnings</li>"}</ul>
<p><img alt="contact sheet" src="data:image/png;base64,{picture}"></p>
<p><small>Green torso, violet hair, orange face, white landmarks; the last two tiles are the clean
background and the torso layer. These two and the torso's reference frame are made from training
frames alone; crop, mean head shape and poses are fitted to the whole clip.</small></p>
{graphs}
<h3>Stages</h3><table><tr><th>stage</th><th>time</th><th>notes</th></tr>{stages}</table></html>
"""


def _notes(notes: dict[str, Any]) -> str:
    shown = {key: value for key, value in notes.items() if key not in ("bytes", "warnings")}
    return ", ".join(f"{key} {value}" for key, value in shown.items())
