"""The sample head's face: a posable skin with lips, lids, brows and a jaw.

The vertices follow the numbering of MediaPipe's face mesh, so a landmark's truth is the vertex of
the same number. ``sample_face.npz`` holds the 468 vertices and 898 triangles of MediaPipe's
canonical face model (an averaged face, nobody's likeness; Google, Apache-2.0), read from the
geometry data inside ``face_landmarker.task``; :func:`_sculpt` then gives it the character's own
proportions.

Sculpting space: centimetres, x to the image's right, y up, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import numpy as np

from nerf_talker.data.sample_mesh import (
    Indices,
    Points,
    follow_matrix,
    loop_subdivision,
    smoothstep,
)
from nerf_talker.geometry import mesh


def _turned(ring: tuple[int, ...]) -> list[int]:
    """The same closed outline the other way round, from the same point."""
    return [ring[0], *ring[:0:-1]]


OUTER, INNER = list(mesh.LIPS[:20]), list(mesh.LIPS[20:])
RIGHT_EYE, LEFT_EYE = _turned(mesh.RIGHT_EYE), _turned(mesh.LEFT_EYE)
OVAL = _turned(mesh.FACE_OVAL)
RIGHT_BROW = [46, 53, 52, 65, 55, 70, 63, 105, 66, 107]
LEFT_BROW = [276, 283, 282, 295, 285, 300, 293, 334, 296, 336]
MESH_POINTS = 468
EYE_RADIUS = 1.5
IRIS_RADIUS = 0.62
MAX_GAP = 2.0
_JAW_AXIS = np.array([0.0, 0.6, -3.0])
_JAW_RADIANS = 0.185
_PUPILS = np.array([[-3.16, 2.66], [3.16, 2.66]])


@dataclass(frozen=True)
class FacePose:
    """What the face does at one instant.

    Attributes:
        gap: Opening between the lips, 0 to about 1, times 2 cm.
        jaw: Jaw rotation, 0 to about 1.
        width: Mouth corners, -1 drawn in, +1 spread.
        protrusion: Lips pushed forward, 0 to 1.
        blink: 0 open to 1 closed.
        brow: -1 lowered to +1 raised.
        gaze: Right and up, radians.
    """

    gap: float = 0.0
    jaw: float = 0.0
    width: float = 0.0
    protrusion: float = 0.0
    blink: float = 0.0
    brow: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)


def _sculpt(points: Points) -> Points:
    """The character's own proportions: larger eyes, a narrower jaw, fuller lips."""
    points = points.copy()
    for ring, pupil in ((RIGHT_EYE, _PUPILS[0]), (LEFT_EYE, _PUPILS[1])):
        away = points[:, :2] - pupil
        near = np.exp(-(((away / (2.2, 1.5)) ** 2).sum(1)))
        points[:, 1] += near * away[:, 1] * 0.52
        upper = np.array(ring)[points[ring, 1] > pupil[1]]
        points[upper, 1] += 0.05
    # A hint of a smile.
    corner = (np.abs(points[:, 0]) - 2.4, points[:, 1] + 4.3)
    points[:, 1] += 0.17 * np.exp(-((corner[0] / 0.9) ** 2) - (corner[1] / 0.9) ** 2)
    low = smoothstep(-2.0, -9.0, points[:, 1])
    points[:, 0] *= 1 - 0.07 * low
    return points


class FaceRig:
    """The face's coarse mesh, its handles and its smooth surface; see :meth:`coarse`."""

    def __init__(self) -> None:
        with resources.files("nerf_talker.data").joinpath("sample_face.npz").open("rb") as stream:
            stored = np.load(stream)
            triangles = stored["triangles"].astype(np.int64)
            self.rest = _sculpt(stored["vertices"].astype(np.float64))
        holes = [np.isin(triangles, ring).all(1) for ring in (INNER, RIGHT_EYE, LEFT_EYE)]
        self.triangles = triangles[~np.any(holes, 0)]
        self.eyes = np.array([self._eye_centre(RIGHT_EYE, 0), self._eye_centre(LEFT_EYE, 1)])
        self._seat_lids()
        self._plan()
        skirt = [self._bridge(ring, *span) for ring, *span in self._skirts()]
        self.control_triangles = np.concatenate([self.triangles, *skirt])
        self.smooth, self.fine_triangles = loop_subdivision(
            self.control_triangles, MESH_POINTS + self._extra, 2
        )
        self._sharpen()

    def _eye_centre(self, ring: list[int], side: int) -> Points:
        front = self.rest[[ring[4], ring[12]], 2].mean()
        return np.array([*_PUPILS[side], front + 0.02 - EYE_RADIUS * 0.965])

    def _seat_lids(self) -> None:
        """Lids lie on the eyeball, never inside it."""
        for ring, centre in zip((RIGHT_EYE, LEFT_EYE), self.eyes, strict=True):
            self.rest[ring, 2] = np.maximum(self.rest[ring, 2], self._on_eye(ring, centre))

    def _on_eye(self, ring: list[int], centre: Points, points: Points | None = None) -> Points:
        source = self.rest[ring] if points is None else points
        flat = ((source[:, :2] - centre[:2]) ** 2).sum(1)
        return centre[2] + np.sqrt(np.maximum((EYE_RADIUS + 0.1) ** 2 - flat, 0.2))

    @property
    def _extra(self) -> int:
        return 4 * 20 + 2 * 2 * 16 + 4 * 36

    def _skirts(self) -> list[tuple[list[int], int, int]]:
        """Every rim that is continued: its vertices, the first new vertex, the number of rings."""
        first = MESH_POINTS
        return [
            (INNER, first, 4),
            (RIGHT_EYE[::-1], first + 80, 2),
            (LEFT_EYE, first + 112, 2),
            (OVAL, first + 144, 4),
        ]

    @staticmethod
    def _bridge(ring: list[int], first: int, rings: int) -> Indices:
        """Triangles from a rim inward (or backward) over its new rings."""
        n = len(ring)
        previous, faces = np.array(ring), []
        for k in range(rings):
            current = first + k * n + np.arange(n)
            a, b = previous, np.roll(previous, -1)
            c, d = current, np.roll(current, -1)
            faces += [np.stack([a, c, b], 1), np.stack([b, c, d], 1)]
            previous = current
        return np.concatenate(faces)

    def _plan(self) -> None:
        p = self.rest
        eyes = RIGHT_EYE + LEFT_EYE
        brows = RIGHT_BROW + LEFT_BROW
        chin = np.flatnonzero((p[:, 1] < -6.4) & (np.abs(p[:, 0]) < 3.6))
        jawline = [v for v in OVAL if p[v, 1] < -1.5]
        still = np.flatnonzero(
            (p[:, 1] > 5.3)
            | ((p[:, 1] > -1.9) & (np.abs(p[:, 0]) < 1.9) & (p[:, 1] < 2.0))
            | ((np.abs(p[:, 0]) < 1.0) & (p[:, 1] >= 2.0) & (p[:, 1] < 3.4))
            | ((p[:, 1] > -0.6) & (np.abs(p[:, 0]) > 6.6))
            | ((p[:, 1] > 0.9) & (p[:, 1] < 1.7))
        )
        moved = [*OUTER, *INNER, *eyes, *brows, *chin, *jawline]
        self._still = np.setdiff1d(still, moved)
        self._jawed = np.setdiff1d(np.concatenate([chin, jawline]), [*OUTER, *INNER])
        turn = smoothstep(-1.5, -6.5, p[self._jawed, 1])
        self._jaw_weight = turn * smoothstep(-3.5, 2.5, p[self._jawed, 2])
        self._handles = np.unique(np.concatenate([moved, self._still]))
        self._free, self._follow = follow_matrix(p, self.triangles, self._handles)

    def _sharpen(self) -> None:
        """Control points whose smooth surface passes near the wanted rest vertices."""
        self._bias = np.zeros((MESH_POINTS + self._extra, 3))
        wanted = self._with_skirts(self._posed(FacePose()), None)
        control = wanted.copy()
        for _ in range(4):
            error = wanted - (self.smooth @ control)[: len(wanted)]
            control[:MESH_POINTS] += 0.7 * error[:MESH_POINTS]
        self._bias = control - wanted

    def coarse(self, pose: FacePose) -> Points:
        """(468 + extra, 3) control points in sculpting space."""
        return self._with_skirts(self._posed(pose), pose) + self._bias

    def fine(self, pose: FacePose) -> Points:
        """(V, 3) smooth skin; row k below 468 is landmark k."""
        return np.asarray(self.smooth @ self.coarse(pose))

    @cached_property
    def rest_control(self) -> Points:
        """Control points of the neutral face."""
        return self.coarse(FacePose())

    def _posed(self, pose: FacePose) -> Points:
        p = self.rest
        move = np.zeros_like(p)
        move[self._jawed] = self.jaw(p[self._jawed], pose.jaw * self._jaw_weight) - p[self._jawed]
        self._move_lips(move, pose)
        self._move_lids(move, pose)
        for brow in (RIGHT_BROW, LEFT_BROW):
            inner = 1 - np.abs(p[brow, 0]) / 9
            move[brow, 1] += 0.45 * pose.brow * inner
        move[self._free] = self._follow @ move[self._handles]
        return p + move

    @staticmethod
    def jaw(points: Points, amount: Points | float) -> Points:
        """(V, 3) ``points`` turned about the jaw's hinge by ``amount`` of its range."""
        angle = _JAW_RADIANS * np.asarray(amount)
        away = points - _JAW_AXIS
        cos, sin = np.cos(angle), np.sin(angle)
        return _JAW_AXIS + np.stack(
            [away[:, 0], cos * away[:, 1] - sin * away[:, 2], sin * away[:, 1] + cos * away[:, 2]],
            1,
        )

    def _move_lips(self, move: Points, pose: FacePose) -> None:
        p, gap = self.rest, pose.gap * MAX_GAP
        lower, upper = np.array(INNER[1:10]), np.array(INNER[:10:-1])
        centre = (p[lower] + p[upper]) / 2
        centre[:, 2] = np.maximum(p[lower, 2], p[upper, 2]) + 0.02
        along = p[lower, 0] / p[308, 0]
        opening = gap * (1 - np.abs(along) ** 2.4) ** 0.75
        lift = 0.22 * opening
        drop = opening - lift
        closed = np.clip(1 - pose.gap / 0.3, 0, 1)
        retract = 0.22 * drop
        for ring, sign, share in ((upper, 1.0, lift), (lower, -1.0, drop)):
            target = centre.copy()
            target[:, 1] += sign * share
            target[:, 2] -= retract * (sign < 0) + 0.04 * closed
            move[ring] = target - p[ring]
        low, high = np.array(OUTER[1:10]), np.array(OUTER[:10:-1])
        move[high, 1] = move[upper, 1] * (0.35 + 0.45 * (1 - closed)) - 0.02 * gap
        move[low, 1] = move[lower, 1] * (0.35 + 0.6 * (1 - closed)) + 0.06 * gap
        move[low, 2] = -retract
        corners = [61, 291, 78, 308]
        move[corners, 1] = -0.12 * gap + 0.12 * max(pose.width, 0)
        lips = np.array(OUTER + INNER)
        stretch = 0.13 * pose.width if pose.width > 0 else 0.27 * pose.width
        forward = np.exp(-((p[lips, 0] / 1.9) ** 2))
        move[lips, 0] += p[lips, 0] * stretch
        move[lips, 2] += 0.75 * pose.protrusion * forward - 0.25 * max(pose.width, 0) * (
            1 - forward
        )

    def _move_lids(self, move: Points, pose: FacePose) -> None:
        for ring, centre in zip((RIGHT_EYE, LEFT_EYE), self.eyes, strict=True):
            lower, upper = np.array(ring[1:8]), np.array(ring[:8:-1])
            meet = self.rest[lower] * 0.85 + self.rest[upper] * 0.15
            # Looking down takes the upper lid along.
            share = np.clip(pose.blink + 0.25 * -pose.gaze[1] / 0.2, 0.0, 1.0)
            for lids, amount in ((upper, share), (lower, pose.blink)):
                target = self.rest[lids] * (1 - amount) + meet * amount
                surface = self._on_eye(ring, centre, target) + 0.03
                target[:, 2] = np.maximum(target[:, 2], surface)
                move[lids] = target - self.rest[lids]

    def _with_skirts(self, points: Points, pose: FacePose | None) -> Points:
        """Adds lid rims, the mouth's lining and the skin behind the face's oval."""
        rings = [points]
        mouth = points[INNER]
        middle = mouth.mean(0)
        upper = np.sign(np.arange(20) - 10.0)
        for back, spread, bow in ((0.35, 1.0, 0.0), (1.1, 1.05, 0.5), (3.6, 0.9, 0.9), (4.4, 0, 0)):
            ring = middle + (mouth - middle) * (spread, min(spread, 1.0), 0.6 * spread)
            ring[:, 1] += bow * upper
            rings.append(ring - (0, 0, back))
        for ring_of, centre in ((RIGHT_EYE[::-1], self.eyes[0]), (LEFT_EYE, self.eyes[1])):
            lid = points[ring_of]
            for back in (0.10, 0.45):
                inside = lid.copy()
                inside[:, 2] = np.minimum(lid[:, 2], self._on_eye(ring_of, centre, lid)) - back
                rings.append(inside)
        oval = points[OVAL]
        for shrink, back in ((1.0, 1.2), (0.97, 3.2), (0.85, 6.5), (0.5, 9.0)):
            low = smoothstep(0.0, -8.0, oval[:, 1])
            ring = oval * (shrink, shrink, 1.0)
            ring[:, 2] -= back * (1 - 0.25 * low)
            ring[:, 1] += low * back * 0.12
            rings.append(ring)
        return np.concatenate(rings)
