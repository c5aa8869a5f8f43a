"""What every rigid piece of the sample scene is made of, and the pieces of the head but its hair.

Sculpting space: centimetres, x to the image's right, y up, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nerf_talker.data.labels import Label
from nerf_talker.data.sample_face import EYE_RADIUS, FaceRig
from nerf_talker.data.sample_mesh import Indices, Points, grid_triangles, smoothstep

Carrier = Literal["head", "jaw", "body"]


@dataclass(frozen=True)
class Part:
    """A textured piece of mesh.

    Attributes:
        points: (V, 3) sculpting space.
        triangles: (T, 3).
        uv: (V, 2) in [0, 1], x right and y down on the tile.
        tile: Name of its texture.
        label: Class of its pixels.
        carrier: What it moves with.
        occlusion: (V,) factor on the light that reaches the vertex.
        gloss: (V,) strength of the highlight.
        follow: (V,) share of the head's motion, used where ``carrier`` is ``body``.
    """

    points: Points
    triangles: Indices
    uv: Points
    tile: str
    label: Label
    carrier: Carrier
    occlusion: Points
    gloss: Points
    follow: Points


def make_part(
    points: Points,
    triangles: Indices,
    uv: Points,
    tile: str,
    label: Label = Label.FACE,
    carrier: Carrier = "head",
    occlusion: Points | float = 1.0,
    gloss: Points | float = 0.0,
    follow: Points | float = 1.0,
) -> Part:
    """A :class:`Part` with numbers spread over its vertices."""
    full = [np.broadcast_to(np.asarray(v, float), len(points)) for v in (occlusion, gloss, follow)]
    return Part(points, triangles, uv, tile, label, carrier, *full)


def eyeballs(rig: FaceRig) -> list[Part]:
    """The front halves of both eyeballs; the tile is laid on by direction, see :func:`eye_uv`."""
    rings, spokes = 18, 36
    angle = np.linspace(0, 1.35, rings)[:, None]
    turn = np.linspace(0, 2 * np.pi, spokes, endpoint=False)[None]
    ball = np.stack(
        [np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle) + 0 * turn], -1
    ).reshape(-1, 3)
    parts = []
    for centre in rig.eyes:
        lid_shadow = 1 - 0.45 * smoothstep(0.12, 0.5, ball[:, 1]) - 0.25 * ball[:, 0] ** 2
        glint = np.exp(-(((ball[:, :2] - (-0.12, 0.14)) / 0.075) ** 2).sum(1))
        glint += 0.3 * np.exp(-(((ball[:, :2] - (0.15, -0.13)) / 0.06) ** 2).sum(1))
        parts.append(
            make_part(
                centre + EYE_RADIUS * ball,
                grid_triangles(rings, spokes, closed=True),
                eye_uv(ball, (0.0, 0.0)),
                "eye",
                label=Label.EYES,
                occlusion=lid_shadow,
                gloss=glint,
            )
        )
    return parts


def eye_uv(directions: Points, gaze: tuple[float, float]) -> Points:
    """(V, 2) place on the eye tile of unit ``directions`` when the eye looks along ``gaze``."""
    flat = np.arcsin(np.clip(directions[:, :2], -1, 1)) - gaze
    return np.stack([0.5 + flat[:, 0] / 2.6, 0.5 - flat[:, 1] / 2.6], 1)


def teeth() -> list[Part]:
    """Two curved rows of teeth and the tongue."""
    across = np.linspace(-1.15, 1.15, 33)
    rows = np.linspace(0, 1, 6)
    parts = []
    for carrier, top, bottom, radius, front in (
        ("head", -3.15, -4.40, 2.3, 4.62),
        ("jaw", -4.60, -5.5, 2.05, 4.32),
    ):
        angle, level = np.meshgrid(across, rows)
        edge = bottom if carrier == "head" else top
        height = top + (bottom - top) * level
        bulge = 0.12 * np.sin(np.pi * level)
        scallop = 0.025 * np.cos(angle * 14) * np.exp(-((height - edge) ** 2) / 0.05)
        points = np.stack(
            [
                (radius + bulge) * np.sin(angle),
                height + (scallop if carrier == "head" else -scallop),
                front - radius * 1.15 + (radius * 1.15 + bulge) * np.cos(angle),
            ],
            -1,
        )
        uv = np.stack([angle / 2.3 + 0.5, level if carrier == "head" else 1 - level], -1)
        shade = 1.0 - 0.55 * smoothstep(0.5, 1.1, np.abs(angle)) - (0.2 if top < -4 else 0)
        parts.append(
            make_part(
                points.reshape(-1, 3),
                grid_triangles(6, 33),
                uv.reshape(-1, 2),
                "teeth",
                label=Label.LIPS,
                carrier="jaw" if carrier == "jaw" else "head",
                occlusion=shade.ravel() * 0.98,
                gloss=0.12 * np.exp(-((level - 0.5) ** 2) * 12).ravel(),
            )
        )
    return [*parts, _tongue()]


def _tongue() -> Part:
    angle, turn = np.meshgrid(
        np.linspace(0, np.pi, 14), np.linspace(0, 2 * np.pi, 20), indexing="ij"
    )
    ball = np.stack(
        [np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], -1
    ).reshape(-1, 3)
    groove = -0.12 * np.exp(-((ball[:, 0] / 0.2) ** 2)) * (ball[:, 1] > 0)
    points = ball * (1.6, 0.55, 2.7) + (0, -4.93, 1.55)
    points[:, 1] += groove
    shade = 0.25 + 0.55 * smoothstep(-0.3, 1.0, ball[:, 2])
    uv = np.stack([0.5 + 0.4 * ball[:, 0], 0.5 - 0.4 * ball[:, 1]], 1)
    return make_part(
        points,
        grid_triangles(14, 20),
        uv,
        "tongue",
        label=Label.LIPS,
        carrier="jaw",
        occlusion=shade,
        gloss=0.1,
    )


def ears() -> list[Part]:
    """Both ears: an oval with a rolled rim, a hollow and a lobe."""
    rings, spokes = 14, 40
    radius, angle = np.meshgrid(
        np.linspace(0, 1, rings), np.linspace(0, 2 * np.pi, spokes, endpoint=False), indexing="ij"
    )
    up, back = radius * np.sin(angle), radius * np.cos(angle)
    wide = 1.55 * (1 + 0.22 * up) - 0.35 * smoothstep(-0.4, -1.0, up)
    rim = np.exp(-(((radius - 0.86) / 0.11) ** 2)) * smoothstep(-0.9, 0.1, back + 0.4 * up + 0.25)
    fold = np.exp(-(((radius - 0.55) / 0.10) ** 2)) * smoothstep(-0.2, 0.5, back)
    hollow = np.exp(-(((up + 0.12) / 0.38) ** 2 + ((back + 0.15) / 0.42) ** 2))
    relief = 0.42 * rim + 0.22 * fold - 0.55 * hollow - 0.9 * smoothstep(0.9, 1.0, radius)
    shade = 1 - 0.55 * hollow - 0.35 * np.exp(-(((radius - 0.7) / 0.07) ** 2)) * (back > -0.3)
    out, behind = relief, back * wide
    parts = []
    for side in (-1, 1):
        # Ears stand off the head: their plane opens towards the viewer.
        turn = 0.62
        x = side * (7.35 + 0.55 + out * np.cos(turn) + behind * np.sin(turn))
        z = -3.0 + out * np.sin(turn) - behind * np.cos(turn)
        y = 0.55 + 3.0 * up - 0.25 * back
        points = np.stack([x, y, z], -1).reshape(-1, 3)
        uv = np.stack([0.5 + 0.45 * back, 0.5 - 0.45 * up], -1).reshape(-1, 2)
        faces = grid_triangles(rings, spokes, closed=True)
        parts.append(
            make_part(points, faces[:, ::-side], uv, "ear", occlusion=shade.ravel(), gloss=0.05)
        )
    return parts
