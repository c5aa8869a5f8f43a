"""Curves over the time of a clip, as inline SVG under one common playhead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 1000.0, 100.0
MARGIN = 6.0
# Columns of a plot: more points than this cannot be seen.
COLUMNS = 500

Series = npt.NDArray[np.float64]
Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
        name: In the legend.
        values: (T,) evenly spaced over the clip; NaN leaves a gap.
    """

    name: str
    values: npt.NDArray[np.floating]


def plot(
    title: str, seconds: float, curves: Sequence[Curve], shades: Spans = (), start: float = 0.0
) -> str:
    """A figure of up to four curves on one scale.

    Args:
        title: What is shown, with the unit.
        seconds: Length of what is shown.
        curves: What to draw.
        shades: Stretches of time, in seconds, to mark.
        start: Time on the clip's clock at which the plot begins.
    """
    known = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    parts = [_shades(shades, seconds)]
    if low < 0 < high:
        zero = _height(np.zeros(1), low, high)[0]
        parts.append(f'<line x1="0" x2="{WIDTH:g}" y1="{zero:.1f}" y2="{zero:.1f}"/>')
    for number, curve in enumerate(curves):
        parts.append(f'<path class="c{number}" d="{_path(curve.values, low, high)}"/>')
    keys = "".join(
        f'<span class="key c{number}">{escape(curve.name)}</span>'
        for number, curve in enumerate(curves)
    )
    ends = f'<b class="high">{high:.3g}</b><b class="low">{low:.3g}</b>'
    return _figure(
        title + (keys if len(curves) > 1 else ""), _svg("".join(parts)) + ends, seconds, start
    )


def waveform(title: str, seconds: float, samples: npt.NDArray[np.floating], shades: Spans) -> str:
    """A figure of the envelope of a sound in [-1, 1]."""
    columns = np.array_split(samples.astype(np.float64), min(2 * COLUMNS, max(len(samples), 1)))
    high = np.array([column.max(initial=0) for column in columns])
    low = np.array([column.min(initial=0) for column in columns])
    limit = max(float(np.abs([low, high]).max(initial=0)), 1e-3)
    x = np.linspace(0, WIDTH, len(columns))
    top, bottom = (_height(edge, -limit, limit) for edge in (high, low))
    outline = _points(np.concatenate([x, x[::-1]]), np.concatenate([top, bottom[::-1]]))
    drawn = _shades(shades, seconds) + f'<path class="fill c0" d="M{outline}Z"/>'
    return _figure(title, _svg(drawn) + f'<b class="high">{limit:.2g}</b>', seconds)


def picture(
    title: str, seconds: float, source: str, height: int = 84, rows: Sequence[str] = ()
) -> str:
    """A figure of a picture whose width is the clip's time.

    Args:
        title: What is shown.
        seconds: Length of what is shown.
        source: Address of the picture.
        height: In pixels of the page.
        rows: What its rows mean, from below.
    """
    names = "".join(
        f'<b class="row" style="bottom:{100 * (number + 0.5) / len(rows):.2f}%">{escape(name)}</b>'
        for number, name in enumerate(rows)
    )
    drawn = f'<img alt="" style="height:{height}px" src="{source}">'
    return _figure(title, drawn + names, seconds)


def _figure(title: str, content: str, seconds: float, start: float = 0.0) -> str:
    clock = f'data-start="{start:.3f}" data-seconds="{seconds:.3f}"'
    return (
        f"<figure><figcaption>{title}</figcaption>"
        f'<div class="plot" {clock}>{content}<i></i></div></figure>'
    )


def _svg(content: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none">{content}</svg>'


def _shades(spans: Spans, seconds: float) -> str:
    scale = WIDTH / max(seconds, 1e-6)
    return "".join(
        f'<rect x="{start * scale:.1f}" y="0" width="{max((stop - start) * scale, 1.5):.1f}" '
        f'height="{HEIGHT:g}"/>'
        for start, stop in spans
    )


def _height(values: Series, low: float, high: float) -> Series:
    part = (values - low) / max(high - low, 1e-12)
    return np.asarray(HEIGHT - MARGIN - part * (HEIGHT - 2 * MARGIN))


def _path(values: npt.NDArray[np.floating], low: float, high: float) -> str:
    """Path data that lifts the pen over NaN; long curves keep the extremes of each column."""
    places = np.arange(len(values), dtype=np.float64)
    kept = _extremes(values) if len(values) > 2 * COLUMNS else np.arange(len(values))
    x = places[kept] / max(len(values) - 1, 1) * WIDTH
    y = _height(values[kept].astype(np.float64), low, high)
    finite = np.isfinite(y)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]]).astype(np.int8)))
    runs = zip(edges[::2], edges[1::2], strict=True)
    return "".join("M" + _points(x[first:last], y[first:last]) for first, last in runs)


def _extremes(values: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    kept: list[int] = []
    for column in np.array_split(np.arange(len(values)), COLUMNS):
        part = values[column]
        if np.isfinite(part).any():
            kept += sorted({int(column[np.nanargmin(part)]), int(column[np.nanargmax(part)])})
        else:
            kept.append(int(column[0]))
    return np.array(kept, np.intp)


def _points(x: Series, y: Series) -> str:
    return "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
