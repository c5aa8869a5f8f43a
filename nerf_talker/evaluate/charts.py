"""Small line charts as inline SVG; colours come from the page's style sheet by class."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from nerf_talker.evaluate.lips import Series

WIDTH, HEIGHT = 960, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: In the legend.
        style: CSS class that colours it: ``truth``, ``own``, ``other``, ``fourth``, ``fifth``,
            ``quiet``.
        values: (T,), NaN leaves a gap.
    """

    name: str
    style: str
    values: Series


def chart(
    x: Series, lines: Sequence[Line], x_label: str, y_label: str, seek: float | None = None
) -> str:
    """An SVG element with axes, about five ticks each, and a legend below it.

    The figure carries its numbers, so that the page's script can tell them under the pointer.

    Args:
        x: (T,) places across.
        lines: The curves.
        x_label: Below the axis.
        y_label: In the legend.
        seek: ``x`` of the player's first frame when a click should move the player, else None.
    """
    finite = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    if not finite.size:
        return "<p class='quiet'>nothing was measured for this chart</p>"
    x_low, x_high = _range(x)
    y_low, y_high = _range(finite)

    def place(values: Series, low: float, high: float, start: float, stop: float) -> Series:
        return start + (values - low) / (high - low) * (stop - start)

    parts = [f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(y_label)}'>"]
    for tick in _ticks(y_low, y_high):
        y = float(place(np.array(tick), y_low, y_high, HEIGHT - BOTTOM, TOP))
        parts.append(
            f"<line class='grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}'/>"
        )
        parts.append(f"<text x='{LEFT - 6}' y='{y + 4:.1f}' text-anchor='end'>{tick:g}</text>")
    for tick in _ticks(x_low, x_high):
        at = float(place(np.array(tick), x_low, x_high, LEFT, WIDTH - RIGHT))
        parts.append(f"<text x='{at:.1f}' y='{HEIGHT - 18}' text-anchor='middle'>{tick:g}</text>")
    across = place(x, x_low, x_high, LEFT, WIDTH - RIGHT)
    for line in lines:
        height = place(line.values, y_low, y_high, HEIGHT - BOTTOM, TOP)
        parts.append(f"<path class='{line.style}' d='{_path(across, height)}'/>")
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f"<text x='{middle}' y='{HEIGHT - 3}' text-anchor='middle'>{escape(x_label)}</text></svg>"
    )
    names = "".join(f"<span class='key {line.style}'>{escape(line.name)}</span>" for line in lines)
    data = escape(json.dumps(_numbers(x, lines, x_label, seek)))
    caption = f"<figcaption>{escape(y_label)} {names}</figcaption>"
    return f"<figure class='curve' data-curve='{data}'>{''.join(parts)}{caption}</figure>"


def _numbers(
    x: Series, lines: Sequence[Line], x_label: str, seek: float | None
) -> dict[str, object]:
    """What the page's script needs to point at the curves; null is a gap."""
    low, high = _range(x)
    return {
        "label": x_label,
        "x": [round(float(value), 4) for value in x],
        "low": low,
        "high": high,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
        "width": WIDTH,
        "seek": seek,
        "lines": [
            {
                "name": line.name,
                "style": line.style,
                "values": [float(f"{v:.4g}") if np.isfinite(v) else None for v in line.values],
            }
            for line in lines
        ],
    }


def _range(values: Series) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers inside the range, about five of them."""
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough)
    return [
        float(np.round(k * step, 10))
        for k in range(int(np.ceil(low / step)), int(high // step) + 1)
    ]


def _path(x: Series, y: Series) -> str:
    """Path data that lifts the pen over NaN."""
    parts, down = [], False
    for across, height in zip(x, y, strict=True):
        if np.isfinite(height):
            parts.append(f"{'L' if down else 'M'}{across:.1f} {height:.1f}")
        down = bool(np.isfinite(height))
    return "".join(parts)
