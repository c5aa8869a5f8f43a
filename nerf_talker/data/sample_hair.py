"""The sample head's hair: a cap over the skull and layered tapering locks on top of it.

Sculpting space: centimetres, x to the image's right, y up, z towards the viewer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nerf_talker.data.labels import Label
from nerf_talker.data.sample_mesh import Points, grid_triangles, smoothstep
from nerf_talker.data.sample_parts import Part, make_part

_CENTRE = np.array([0.0, 2.0, -3.2])
_PARTING = -0.62
_LOCKS = 680
_STEPS = 9
_TURNS = np.radians([0, 25, 45, 58, 68, 76, 86, 97, 112, 128, 150, 180])
_HAIRLINE = np.radians([52, 53, 57, 68, 92, 97, 85, 82, 92, 122, 136, 140])


def hairline(turn: npt.ArrayLike) -> Points:
    """Angle from the crown at which the hair ends; ``turn`` is 0 at the front, +-pi at the back."""
    folded = np.abs((np.asarray(turn, float) + np.pi) % (2 * np.pi) - np.pi)
    return np.interp(folded, _TURNS, _HAIRLINE)


def _surface(down: Points, turn: Points, lift: Points | float) -> Points:
    """Points of the scalp ``lift`` centimetres out, ``down`` radians from the crown."""
    x, z = np.sin(down) * np.sin(turn), np.sin(down) * np.cos(turn)
    y = np.cos(down) + 0 * turn
    depth = np.where(z > 0, 9.1, 10.2)
    direction = np.stack([x, y, z], -1)
    radii = np.stack([np.full_like(depth, 7.95), np.full_like(depth, 10.2), depth], -1)
    return _CENTRE + direction * (radii + np.asarray(lift)[..., None])


def _volume(down: Points, turn: Points) -> Points:
    """Thickness of the hair in centimetres, most on top, least above the ears."""
    front = smoothstep(0.1, 1.0, np.cos(turn))
    heavy = smoothstep(_PARTING - 0.35, _PARTING + 0.9, turn) * smoothstep(2.4, 0.9, turn)
    top = smoothstep(1.45, 0.5, down)
    back = smoothstep(0.0, -0.8, np.cos(turn))
    return 0.30 + 1.35 * top + 0.75 * front * heavy * top + 0.5 * back * smoothstep(2.3, 1.3, down)


def cap() -> Part:
    """The closed cap under the locks, tucked in at the hairline."""
    rows, columns = 24, 96
    share, turn = np.meshgrid(
        np.linspace(0, 1, rows), np.linspace(-np.pi, np.pi, columns, endpoint=False), indexing="ij"
    )
    down = share * hairline(turn)
    edge = smoothstep(1.0, 0.75, share)
    lift = _volume(down, turn) * edge - 0.9 * smoothstep(0.93, 1.0, share) + 0.12 + 0.30 * edge
    points = _surface(down, turn, lift).reshape(-1, 3)
    uv = np.stack([(turn / (2 * np.pi) * 6) % 1, share], -1).reshape(-1, 2)
    part = grid_triangles(rows, columns, closed=True)
    shade = 0.62 + 0.2 * edge
    return make_part(points, part[:, ::-1], uv, "hair", label=Label.HAIR, occlusion=shade.ravel())


def locks(seed: int = 11) -> Part:
    """All locks as one part; every lock is a ribbon with a rounded cross-section."""
    rng = np.random.default_rng(seed)
    steps = np.linspace(0, 1, _STEPS)
    ribbon = grid_triangles(_STEPS, 3)
    points, faces, uvs, shades, glosses = [], [], [], [], []
    for k in range(_LOCKS):
        # More locks in front, none where only the back of the head would show them.
        start = rng.triangular(-2.3, 0.15, 2.3)
        layer = rng.uniform(0, 1)
        ridge, side, shade, gloss = _lock(rng, start, layer, steps)
        strip = np.stack([ridge - side[:, :3], ridge + side[:, 3:], ridge + side[:, :3]], 1)
        faces.append(ribbon + 3 * _STEPS * k)
        points.append(strip.reshape(-1, 3))
        left = rng.uniform(0.02, 0.72)
        u = np.broadcast_to(left + np.array([0, 0.11, 0.22]), (_STEPS, 3))
        v = np.broadcast_to((0.04 + 0.9 * steps)[:, None], (_STEPS, 3))
        uvs.append(np.stack([u, v], -1).reshape(-1, 2))
        shades.append(np.repeat(shade[:, None], 3, 1) * (0.8, 1.08, 0.8))
        glosses.append(np.repeat(gloss[:, None], 3, 1) * (0.4, 1.0, 0.4))
    return make_part(
        np.concatenate(points),
        np.concatenate(faces),
        np.concatenate(uvs),
        "hair",
        label=Label.HAIR,
        occlusion=np.concatenate(shades).ravel(),
        gloss=np.concatenate(glosses).ravel(),
    )


def _lock(
    rng: np.random.Generator, start: float, layer: float, steps: Points
) -> tuple[Points, Points, Points, Points]:
    """Ridge (S, 3), half-width and bulge vectors (S, 6), shade (S,) and gloss (S,) of one lock."""
    root, turn, tip = _course(rng, start, layer, steps)
    front = smoothstep(1.15, 0.5, np.abs(turn))
    down = root + (tip - root) * steps ** rng.uniform(0.9, 1.25)
    # On the way the lock keeps above the hairline it sweeps along.
    down = np.minimum(down, hairline(turn) * (1.02 + 0.13 * layer**3 * front))
    loose = 0.35 + 0.65 * smoothstep(1.5, 0.8, down)
    above = 0.05 + 0.42 * layer + 0.22 * np.sin(np.pi * steps) * loose
    rise = 0.32 + smoothstep(0, 0.25, steps) * above
    # Towards its tip hair lies against the head, save for a loose fringe.
    rise = rise * (1 - (1 - front) * smoothstep(0.8, 1.0, down / hairline(turn)))
    lift = _volume(down, turn) * smoothstep(1.06, 0.70, down / hairline(turn)) + rise - 0.12 * steps
    lift = lift + 0.5 * front * smoothstep(0.9, 1.1, down / hairline(turn))
    ridge = _surface(down, turn, lift)
    along = np.gradient(ridge, axis=0)
    outward = ridge - _CENTRE
    across = np.cross(along, outward)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    half = rng.uniform(0.36, 0.70) * np.minimum(1, 0.35 + 3 * steps) * (1 - steps**3) + 0.03
    bulge = outward * (0.20 * half)[:, None]
    tone = rng.uniform(0.86, 1.12)
    shade = tone * (0.72 + 0.28 * np.sin(np.pi * np.clip(steps * 1.1, 0, 1))) * (0.7 + 0.3 * layer)
    band = np.exp(-(((down - 0.72 - 0.1 * np.cos(turn)) / 0.2) ** 2))
    band += 0.35 * np.exp(-(((down - 1.35) / 0.16) ** 2))
    return ridge, np.concatenate([across * half[:, None], bulge], 1), shade, band * tone


def _course(
    rng: np.random.Generator, start: float, layer: float, steps: Points
) -> tuple[float, Points, float]:
    """Where a lock runs: its root and tip from the crown, and its turn on the way."""
    if abs(start) > 1.25:
        root, sweep = rng.uniform(0.08, 0.8), rng.normal(0, 0.10)
        turn = start + sweep * steps
    elif start < _PARTING:
        root, sweep = rng.uniform(0.30, 0.88), -rng.uniform(0.25, 0.95)
        turn = _PARTING + rng.uniform(-0.32, 0.05) + sweep * steps**0.8
    else:
        root, sweep = rng.uniform(0.30, 0.86), rng.uniform(0.55, 1.9)
        turn = _PARTING + rng.uniform(-0.12, 0.45) + sweep * steps**0.85
    tip = hairline(turn[-1]) * (rng.uniform(0.80, 0.97) + 0.12 * layer**3 * (abs(start) < 1.0))
    return root, turn, max(float(tip), root + 0.15)
