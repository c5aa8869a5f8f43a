"""The frame of the pages that people look at, and pictures inside them; nothing is fetched."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from nerf_talker.atomic import atomic_path
from nerf_talker.types import ByteArray


def write_page(path: Path, title: str, summary: str, body: str) -> None:
    """Write a self-contained HTML file atomically.

    Args:
        path: The file; its folder must exist.
        title: Plain text.
        summary: Plain text, one paragraph below the title.
        body: HTML.
    """
    frame = resources.files("nerf_talker.preprocess").joinpath("page.html").read_text("utf-8")
    content = Template(frame).substitute(title=escape(title), summary=escape(summary), body=body)
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; cells are HTML already."""
    titles = "".join(f"<th>{escape(text)}</th>" for text in head)
    lines = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{titles}</tr>{"".join(lines)}</table></div>'


def badge(grade: str) -> str:
    """A word on a coloured ground."""
    return f'<span class="badge {grade}">{grade}</span>'


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address."""
    return f"data:{kind};base64," + base64.b64encode(content).decode()


def jpeg(picture: ByteArray, quality: int = 88) -> str:
    """An (H, W, 3) RGB picture as an address."""
    import cv2

    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)
    return data_uri(content.tobytes(), "image/jpeg")
