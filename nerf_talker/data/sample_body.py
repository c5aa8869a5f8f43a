"""The sample's neck, shoulders and clothes.

Sculpting space: centimetres, x to the image's right, y up, z towards the viewer; the head's origin.
"""

from __future__ import annotations

import numpy as np

from nerf_talker.data.labels import Label
from nerf_talker.data.sample_mesh import Points, grid_triangles, smoothstep
from nerf_talker.data.sample_parts import Part, make_part

_LEVELS = np.array([-3.0, -8.0, -11.0, -13.0, -14.6, -15.6, -16.8, -18.2, -20.0, -23.0, -28, -36])
_WIDTHS = np.array([5.2, 5.2, 5.3, 5.8, 7.0, 9.2, 13.2, 17.2, 20.0, 21.8, 22.6, 22.8])
_DEPTHS = np.array([2.6, 4.2, 5.2, 5.9, 6.5, 7.2, 8.2, 9.3, 10.2, 11.2, 12.0, 12.4])
_RAISE = 1.3
_FRONTS = np.array([-5.8, -5.2, -4.8, -4.6, -4.7, -4.9, -5.1, -5.1, -4.9, -4.5, -4.0, -3.6])


def _column(levels: Points, columns: int, swell: float) -> Points:
    """(L, C, 3) cross-sections of neck and shoulders, ``swell`` centimetres outside the skin."""
    from scipy.interpolate import PchipInterpolator

    order = -_LEVELS
    width, depth, middle = (
        PchipInterpolator(order, v)(-levels)[:, None] for v in (_WIDTHS, _DEPTHS, _FRONTS)
    )
    turn = np.linspace(-np.pi, np.pi, columns, endpoint=False)[None]
    # Shoulders are squarer than the neck.
    power = (1 - 0.28 * smoothstep(-16, -22, levels))[:, None]
    sin, cos = np.sin(turn), np.cos(turn)
    x = (width + swell) * np.sign(sin) * np.abs(sin) ** power
    z = middle + (depth + swell) * np.sign(cos) * np.abs(cos) ** power
    return np.stack([x, np.broadcast_to(levels[:, None] + _RAISE, x.shape), z], -1)


def neck() -> Part:
    """Skin from under the jaw to the collar, its top moving with the head."""
    levels, columns = np.linspace(-4.5, -18.5, 26), 56
    points = _column(levels, columns, 0.0)
    # Below the collar the skin stays a neck: the shoulders are under the jumper.
    middle = np.array([0.0, 0.0, -4.8])
    inside = (points - middle) * (1, 0, 1)
    reach = np.linalg.norm(inside, axis=-1, keepdims=True)
    points -= inside * np.maximum(
        1 - (7.3 - 0.35 * smoothstep(-16, -18, points[..., 1:2])) / reach, 0
    )
    turn = np.linspace(-np.pi, np.pi, columns, endpoint=False)[None]
    y = points[..., 1]
    tendon = np.exp(-(((np.abs(turn) - 0.75 + 0.035 * (y + 9)) / 0.13) ** 2))
    notch = np.exp(-(((y + 16.6) / 1.1) ** 2 + (turn / 0.16) ** 2))
    points[..., 2] += 0.35 * tendon * smoothstep(-8, -13, y) - 0.6 * notch
    shade = 0.42 + 0.58 * smoothstep(-8.5, -15.5, y) - 0.1 * notch + 0 * turn
    uv = np.stack([turn / (2 * np.pi) + 0.5 + 0 * y, (y + 19) / 17], -1)
    return make_part(
        points.reshape(-1, 3),
        grid_triangles(26, columns, closed=True),
        uv.reshape(-1, 2),
        "neck",
        label=Label.NECK,
        carrier="body",
        occlusion=shade.ravel(),
        gloss=0.04,
        follow=smoothstep(-16.0, -7.0, y).ravel(),
    )


def jumper() -> Part:
    """The knitted jumper from the collar's seam down past the picture."""
    levels, columns = np.concatenate([np.linspace(-15.0, -22, 20), np.linspace(-22.6, -36, 10)]), 80
    points = _column(levels, columns, 0.55)
    turn = np.linspace(-np.pi, np.pi, columns, endpoint=False)[None]
    y = points[..., 1]
    # The neckline dips in front.
    dip = 1.9 * np.exp(-((turn / 0.62) ** 2)) * smoothstep(-24, -15, y)
    points[..., 1] -= dip
    folds = 0.16 * np.sin(turn * 9 + y * 0.5) * smoothstep(-18, -25, y)
    points[..., 2] += folds
    share = np.linspace(0, 1, len(levels))[:, None]
    shade = 0.72 + 0.28 * smoothstep(0.0, 0.12, share) + 0.25 * folds + 0 * turn
    uv = np.stack([points[..., 0] / 52 + 0.5, (-14.5 - y) / 23], -1)
    return make_part(
        points.reshape(-1, 3),
        grid_triangles(len(levels), columns, closed=True),
        uv.reshape(-1, 2),
        "cloth",
        label=Label.TORSO,
        carrier="body",
        occlusion=shade.ravel(),
        follow=0.0,
    )


def collar() -> Part:
    """The ribbed collar: a rolled ring along the neckline."""
    around, columns = 14, 96
    turn = np.linspace(-np.pi, np.pi, columns, endpoint=False)[None]
    roll = np.linspace(0, 2 * np.pi, around, endpoint=False)[:, None]
    base = _column(np.array([-15.3]), columns, 0.35)[0]
    base[:, 1] -= 1.9 * np.exp(-((turn[0] / 0.62) ** 2))
    outward = np.stack([np.sin(turn[0]), 0 * turn[0], np.cos(turn[0])], 1)
    rib = 1 + 0.035 * np.cos(turn * 64)
    out = 0.55 * np.cos(roll) * rib + 0.25
    up = 1.0 * np.sin(roll) * rib + 0.15
    points = base[None] + outward[None] * out[..., None]
    points[..., 1] += up - 0.45 * out
    shade = 0.62 + 0.38 * smoothstep(-0.9, 0.6, np.cos(roll) + 0.3 * np.sin(roll)) + 0 * turn
    uv = np.stack([0 * roll + turn / (2 * np.pi) + 0.5, roll / (2 * np.pi) + 0 * turn], -1)
    faces = grid_triangles(around + 1, columns, closed=True)
    wrapped = np.where(faces >= around * columns, faces - around * columns, faces)
    return make_part(
        points.reshape(-1, 3),
        wrapped[:, ::-1],
        uv.reshape(-1, 2),
        "collar",
        label=Label.TORSO,
        carrier="body",
        occlusion=shade.ravel() * (0.93 + 0.07 * np.cos(turn * 64) + 0 * roll).ravel(),
        follow=0.0,
    )
