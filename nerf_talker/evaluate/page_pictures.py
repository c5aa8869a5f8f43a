"""The pictures of the page: player, strips of frames and mouths, filmstrip, activity map."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape

import numpy as np

from nerf_talker.evaluate.boxes import Boxes
from nerf_talker.evaluate.film import Film
from nerf_talker.evaluate.gallery import ERROR_GAIN, Exhibit, Gallery
from nerf_talker.evaluate.html_parts import image
from nerf_talker.evaluate.metrics.activity import activity_map
from nerf_talker.evaluate.player import Clip
from nerf_talker.types import ByteArray

MAP_SIZE = 256
"""Pixels of the activity map's longer side at most."""

ZOOMS = ("face", "mouth", "eyes")
ROOM = 0.25
"""Part of a region added on each side when the player zooms on its mean box."""


def player(clip: Clip, fps: float, first: int, boxes: Boxes) -> str:
    """The synchronous player, nothing without a clip.

    Args:
        clip: The small video.
        fps: Frames per second.
        first: Number of the first frame.
        boxes: Mean boxes of the regions in full-size pixels, the frame among them.
    """
    if not clip.content:
        return ""
    zooms = {name: _part(boxes, name) for name in ZOOMS if name in boxes}
    info = {"fps": fps, "first": first, "frames": clip.frames, "boxes": zooms}
    uri = "data:video/mp4;base64," + base64.b64encode(clip.content).decode()
    titles = ("truth", "prediction", f"error ×{ERROR_GAIN}")
    panes = "".join(
        f"<figure><canvas></canvas><figcaption>{title}</figcaption></figure>" for title in titles
    )
    options = "".join(f"<option value='{z}'>zoom: {z}</option>" for z in zooms)
    return (
        f"<div class='card player' data-player='{escape(json.dumps(info))}'>"
        f"<video playsinline preload='auto' src='{uri}'></video>"
        f"<div class='panes'>{panes}</div><div class='controls'>"
        "<button class='play'>Play</button><button class='back' title='one frame back'>◂</button>"
        "<button class='next' title='one frame on'>▸</button>"
        f"<input class='scrub' type='range' min='0' max='{clip.frames - 1}' value='0'>"
        "<span class='clock'></span>"
        f"<select class='zoom'><option value='frame'>whole frame</option>{options}</select>"
        "<select class='view'><option value='side'>side by side</option>"
        "<option value='wipe'>wipe</option></select>"
        "<select class='rate'><option value='1'>1×</option><option value='0.5'>½×</option>"
        "<option value='0.25'>¼×</option></select>"
        "<input class='wipe-at' type='range' min='0' max='100' value='50' hidden></div></div>"
    )


def strips(exhibits: Sequence[tuple[str, Exhibit]]) -> str:
    """Frames: truth, own, head only where there is one, and the error."""
    parts = []
    for number, (name, exhibit) in enumerate(exhibits):
        layers = [("truth", exhibit.truth), ("own", exhibit.own)]
        if exhibit.head_only is not None:
            layers.append(("head only", exhibit.head_only))
        layers.append((f"error ×{ERROR_GAIN}", exhibit.error()))
        style = "four" if len(layers) == 4 else "three"
        if number == 0:
            parts.append(_titles(style, [title for title, _ in layers]))
        parts.append(_strip(style, name, [picture for _, picture in layers]))
    return "".join(parts)


def mouths(exhibits: Sequence[tuple[str, Exhibit]]) -> str:
    """The mouths of frames, enlarged; nothing where no frame shows a face."""
    seen = [(name, exhibit) for name, exhibit in exhibits if exhibit.mouth is not None]
    if not seen:
        return ""
    titles = ("truth", "own", "head only")[: len(seen[0][1].mouths())]
    parts = [_titles("mouths", titles)]
    for name, exhibit in seen:
        parts.append(_strip("mouths", f"{name}, {exhibit.score:.1f} dB", exhibit.mouths()))
    return "".join(parts)


def filmstrip(gallery: Gallery) -> str:
    """The mouth over time: truth above, own below."""
    columns = [
        f"<div>{image(pair.truth)}{image(pair.own)}<span>{pair.frame}</span></div>"
        for pair in gallery.mouths
    ]
    return f"<div class='film card'>{''.join(columns)}</div>" if columns else ""


def activity_picture(own: Film, truth: Film) -> ByteArray | None:
    """Where the prediction moves less (blue) or more (red) than the truth; grey is equal."""
    import cv2

    a, b = own.activity.variance(), truth.activity.variance()
    if a is None or b is None:
        return None
    ratio = np.clip(np.log2(activity_map(a, b)) / 2, -1, 1)
    low, middle, high = (np.array(c, np.float64) for c in ((59, 76, 192), (221,) * 3, (180, 4, 38)))
    share = np.abs(ratio)[..., None]
    colours = middle * (1 - share) + np.where(ratio[..., None] < 0, low, high) * share
    picture = np.round(colours).astype(np.uint8)
    scale = min(1.0, MAP_SIZE / max(picture.shape[:2]))
    size = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _part(boxes: Boxes, name: str) -> list[float]:
    """Left, top, width, height of a region with room around it, as parts of the frame."""
    frame, box = boxes["frame"], boxes[name]
    left, right = box.left - ROOM * box.width, box.left + (1 + ROOM) * box.width
    top, bottom = box.top - ROOM * box.height, box.top + (1 + ROOM) * box.height
    left, top = max(left, 0.0), max(top, 0.0)
    right, bottom = min(right, float(frame.width)), min(bottom, float(frame.height))
    across, down = frame.width, frame.height
    edges = (left / across, top / down, (right - left) / across, (bottom - top) / down)
    return [round(edge, 4) for edge in edges]


def _titles(style: str, titles: Sequence[str]) -> str:
    cells = "".join(f"<span>{escape(title)}</span>" for title in titles)
    return f"<div class='strip {style}'><span></span>{cells}</div>"


def _strip(style: str, name: str, pictures: Sequence[ByteArray]) -> str:
    images = "".join(image(picture) for picture in pictures)
    return f"<div class='strip {style}'><span>{escape(name)}</span>{images}</div>"
