"""Small pieces of HTML that the pages are put together from."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from string import Template

from nerf_talker.types import ByteArray

JPEG_QUALITY = 90


def document(title: str, summary: str, body: str) -> str:
    """A whole self-contained page; ``title`` and ``summary`` are plain text, ``body`` is HTML."""
    package = resources.files("nerf_talker.evaluate")
    page = package.joinpath("page.html").read_text("utf-8")
    script = package.joinpath("page_script.html").read_text("utf-8")
    return Template(page).substitute(
        title=escape(title), summary=escape(summary), body=body, script=script
    )


def section(title: str, content: str) -> str:
    """A titled part of the page, nothing without content."""
    return f"<h2>{escape(title)}</h2>{content}" if content else ""


def quiet(text: str) -> str:
    """A paragraph in small grey letters."""
    return f"<p class='quiet'>{escape(text)}</p>"


def listed(notes: Iterable[str]) -> str:
    """Notes one below the other."""
    return "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"


def grid(rows: Sequence[Sequence[str]], headline: int | None = 0) -> str:
    """A table whose first row holds the titles; body row ``headline`` stands out."""
    head, *body = rows
    parts = ["<div class='wide card'><table><thead><tr>"]
    parts += [f"<th>{heading(cell)}</th>" for cell in head]
    parts.append("</tr></thead>")
    for number, row in enumerate(body):
        style = " class='headline'" if number == headline else ""
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        parts.append(f"<tr{style}>{cells}</tr>")
    return "".join(parts) + "</table></div>"


def heading(title: str) -> str:
    """A column's title whose arrow stays on the line of its last word."""
    text = escape(title)
    for arrow in "↑↓→":
        text = text.replace(f" {arrow}", f"\N{NO-BREAK SPACE}{arrow}")
    return text.replace("→ ", "→\N{NO-BREAK SPACE}")


def fact_table(rows: Iterable[tuple[str, str]]) -> str:
    """Names on the left, texts on the right."""
    cells = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<div class='card'><table class='facts'>{cells}</table></div>"


def picture_uri(picture: ByteArray, quality: int = JPEG_QUALITY) -> str:
    """An (H, W, 3) uint8 RGB picture as a JPEG inside a data URI."""
    import cv2

    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    return "data:image/jpeg;base64," + base64.b64encode(content.tobytes()).decode()


def image(picture: ByteArray) -> str:
    """An img element."""
    return f"<img alt='' src='{picture_uri(picture)}'>"
