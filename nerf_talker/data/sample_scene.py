"""The sample scene: the posed head, neck and clothes in front of the camera, as pictures.

Light is fixed to the head and shading does not depend on the view but for soft highlights that are
fixed to the head too, so that a radiance field without a light model can learn the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.data.labels import HEAD_LABELS, TORSO_LABELS, Label
from nerf_talker.data.sample_body import collar, jumper, neck
from nerf_talker.data.sample_face import (
    EYE_RADIUS,
    IRIS_RADIUS,
    MESH_POINTS,
    OUTER,
    FacePose,
    FaceRig,
)
from nerf_talker.data.sample_hair import cap, locks
from nerf_talker.data.sample_light import Atlas, light, sheen
from nerf_talker.data.sample_mesh import Points, smoothstep, vertex_normals
from nerf_talker.data.sample_motion import pose_matrices
from nerf_talker.data.sample_parts import Part, ears, eye_uv, eyeballs, teeth
from nerf_talker.data.sample_raster import interpolate, rasterise
from nerf_talker.data.sample_texture import bake_tiles, face_uv
from nerf_talker.geometry.mesh import LIPS

Samples = npt.NDArray[np.float32]

FOCAL = 2.0
SUPERSAMPLING = 2
TO_METRES = np.array([0.01, -0.01, -0.01])


@dataclass(frozen=True)
class Picture:
    """One rendered frame.

    Attributes:
        rgb: (H, W, 3) uint8.
        labels: (H, W) uint8 of :class:`nerf_talker.data.labels.Label`.
        head_alpha: (H, W) uint8 share of the head in the pixel.
        landmarks: (478, 3) float32 px; z grows into the scene, 0 at the head's origin.
    """

    rgb: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    head_alpha: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]


class Scene:
    """Everything that is the same in all frames, ready to be posed and drawn at one size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.focal = FOCAL * size
        self.rig = FaceRig()
        self._eyes = eyeballs(self.rig)
        self._rigid: list[Part] = [
            *self._eyes,
            *teeth(),
            *ears(),
            cap(),
            locks(),
            neck(),
            jumper(),
            collar(),
        ]
        detail = min(1.0, size * SUPERSAMPLING / 640)
        self._atlas = Atlas(bake_tiles(self.rig, detail))
        self._pack_parts()
        self.background = _plate(size)
        plate = np.repeat(np.repeat(self.background, SUPERSAMPLING, 0), SUPERSAMPLING, 1)
        self._fine_plate = plate.reshape(-1, 3).astype(np.float32) / 255

    def _pack_parts(self) -> None:
        rig = self.rig
        control = rig.rest_control
        occlusion, gloss = _face_material(len(control))
        self._face_occlusion = np.asarray(rig.smooth @ occlusion)
        self._face_gloss = np.asarray(rig.smooth @ gloss)
        uv = self._atlas.place(face_uv(rig.smooth @ control), "face")
        attributes = [np.column_stack([uv, np.zeros((len(uv), 2))])]
        normals = vertex_normals(np.asarray(rig.smooth @ control), rig.fine_triangles)
        # The mouth's lining turns to the viewer only when the mouth opens.
        lining = np.asarray(rig.smooth @ control)[rig.fine_triangles, 2].max(1) > 0
        skin = rig.fine_triangles[_may_be_seen(normals, rig.fine_triangles) | lining]
        triangles, labels = [skin], [self._skin_labels(skin)]
        first = len(uv)
        for part in self._rigid:
            normals = vertex_normals(part.points, part.triangles)
            centre = part.points.mean(0) - (0, 0, 2.0)
            outward = (normals * (part.points - centre)).sum(1, keepdims=True)
            if part.label == Label.HAIR:
                normals = normals * np.where(outward < 0, -1, 1)
            elif outward.mean() < 0:
                normals = -normals
            attributes.append(
                np.column_stack(
                    [
                        self._atlas.place(part.uv, part.tile),
                        light(normals) * part.occlusion,
                        part.gloss * self._gloss_scale(part, normals),
                    ]
                )
            )
            seen = part.triangles[_may_be_seen(normals, part.triangles)]
            triangles.append(seen + first)
            labels.append(np.full(len(seen), part.label))
            first += len(part.points)
        self._attributes = np.concatenate(attributes)
        self._triangles = np.concatenate(triangles)
        self._labels = np.concatenate(labels).astype(np.uint8)
        self._drop_buried_hair()

    def _skin_labels(self, triangles: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """(T,) FACE, or LIPS between the lips' outer rims and inside the mouth."""
        control = self.rig.rest_control
        mouth = np.zeros(len(control))
        mouth[:MESH_POINTS] = _within(control[:MESH_POINTS, :2], control[list(LIPS[:20]), :2])
        mouth[[*LIPS, *range(MESH_POINTS, MESH_POINTS + 80)]] = 1.0
        # At 0.7 the lips are as large as the outline of their landmarks.
        inside = np.asarray(self.rig.smooth @ mouth) > 0.7
        return np.where(inside[triangles].all(1), Label.LIPS, Label.FACE).astype(np.uint8)

    def _drop_buried_hair(self) -> None:
        """Leaves out locks that no turn of the head within its range brings to light."""
        skin, side = self.rig.fine(FacePose()), 448
        visible = self._labels != Label.HAIR
        for yaw in (-10, -5, 0, 5, 10):
            for pitch in (-6, 0, 6):
                pose = pose_matrices(np.array([[yaw, pitch, 0.0]]), np.zeros((1, 3)))[0]
                space, _ = self._posed(skin, FacePose(), pose, pose)
                pixels = self._project(space, side)
                found = rasterise(pixels, space[:, 2], self._triangles, side)
                visible[found[found >= 0]] = True
        near = np.zeros(len(self._attributes), bool)
        near[self._triangles[visible]] = True
        kept = near[self._triangles].any(1)
        self._triangles, self._labels = self._triangles[kept], self._labels[kept]

    @staticmethod
    def _gloss_scale(part: Part, normals: Points) -> Points | float:
        if part.tile == "eye":
            return 0.85
        return (0.42 if part.tile == "hair" else 1.0) * sheen(normals, 3.0)

    def landmarks(self, pose: FacePose) -> Points:
        """(478, 3) metres in canonical head space, without the head's motion."""
        return self._landmarks_of(self.rig.fine(pose), pose) * TO_METRES

    def _landmarks_of(self, skin: Points, pose: FacePose) -> Points:
        right, up = pose.gaze
        steps = np.arcsin(IRIS_RADIUS / EYE_RADIUS) * np.array(
            [[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]]
        )
        iris = []
        for centre in self.rig.eyes:
            flat = np.sin(steps + np.array([right, up]))
            depth = np.sqrt(1 - (flat**2).sum(1))
            iris.append(centre + EYE_RADIUS * np.column_stack([flat, depth]))
        return np.concatenate([skin[:MESH_POINTS], *iris])

    def render(self, pose: FacePose, head_to_camera: Points, body_to_camera: Points) -> Picture:
        """Draws one frame.

        Args:
            pose: The face.
            head_to_camera: (4, 4) canonical head space to camera, metres.
            body_to_camera: (4, 4) the same for the shoulders.
        """
        skin = self.rig.fine(pose)
        space, attributes = self._posed(skin, pose, head_to_camera, body_to_camera)
        fine = self.size * SUPERSAMPLING
        pixels = self._project(space, fine)
        found = rasterise(pixels, space[:, 2], self._triangles, fine)
        flat, values = interpolate(found, pixels, self._triangles, attributes)
        rgb = self._fine_plate.copy()
        rgb[flat] = self._atlas.shade(values)
        labels = np.zeros(fine * fine, np.uint8)
        labels[flat] = self._labels[found.ravel()[flat]]
        masks = [(labels == k).astype(np.float32).reshape(fine, fine) for k in Label]
        coverage = np.stack([_average(mask) for mask in masks])
        points = _transform(self._landmarks_of(skin, pose) * TO_METRES, head_to_camera)
        marks = np.empty((len(points), 3), np.float32)
        marks[:, :2] = self._project(points, self.size)
        marks[:, 2] = (points[:, 2] - head_to_camera[2, 3]) * self.focal / head_to_camera[2, 3]
        return Picture(
            np.round(_average(rgb.reshape(fine, fine, 3)) * 255).astype(np.uint8),
            _decide(coverage),
            np.round(255 * coverage[list(HEAD_LABELS)].sum(0)).astype(np.uint8),
            marks,
        )

    def _project(self, points: Points, side: int) -> Points:
        return FOCAL * side * points[:, :2] / points[:, 2:] + side / 2

    def _posed(
        self, skin: Points, pose: FacePose, head: Points, body: Points
    ) -> tuple[Points, Points]:
        attributes = self._attributes.copy()
        normals = vertex_normals(skin, self.rig.fine_triangles)
        count = len(skin)
        attributes[:count, 2] = light(normals) * self._face_occlusion
        attributes[:count, 3] = self._face_gloss * sheen(normals, 14.0)
        places, first = [_transform(skin * TO_METRES, head)], count
        for part in self._rigid:
            points = part.points
            if part.carrier == "jaw":
                points = self.rig.jaw(points, pose.jaw)
            placed = _transform(points * TO_METRES, head)
            if part.carrier == "body":
                share = part.follow[:, None]
                placed = placed * share + _transform(points * TO_METRES, body) * (1 - share)
            places.append(placed)
            if part.tile == "eye":
                centre = self.rig.eyes[0 if part is self._eyes[0] else 1]
                uv = eye_uv((points - centre) / EYE_RADIUS, pose.gaze)
                attributes[first : first + len(points), :2] = self._atlas.place(uv, "eye")
            first += len(points)
        return np.concatenate(places), attributes


def _face_material(count: int) -> tuple[Points, Points]:
    """Occlusion and gloss of the face's control points."""
    occlusion, gloss = np.ones(count), np.full(count, 0.10)
    gloss[OUTER] = 0.16
    lining, lids, back = MESH_POINTS, MESH_POINTS + 80, MESH_POINTS + 144
    occlusion[lining : lining + 80] = np.repeat([0.62, 0.3, 0.10, 0.04], 20)
    upper = np.isin(np.arange(16), np.arange(9, 16))
    for k in range(4):
        rim = upper[::-1] if k < 2 else upper
        occlusion[lids + 16 * k : lids + 16 * (k + 1)] = np.where(rim, 0.22, 0.85)
    gloss[lining:] = 0.0
    occlusion[back:] = np.repeat([0.92, 0.8, 0.65, 0.5], 36)
    return occlusion, gloss


def _may_be_seen(normals: Points, triangles: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(T,) whether a triangle can face the camera within the head's small turns."""
    return np.asarray(normals[triangles, 2].max(1) > -0.45)


def _within(points: Points, polygon: Points) -> Points:
    """(V,) 1 for (V, 2) points inside a closed polygon, by the even-odd rule."""
    first, second = polygon, np.roll(polygon, -1, 0)
    x, y = points[:, :1], points[:, 1:]
    spans = (first[:, 1] > y) != (second[:, 1] > y)
    slope = (second[:, 0] - first[:, 0]) / (second[:, 1] - first[:, 1] + 1e-12)
    right = x < first[:, 0] + slope * (y - first[:, 1])
    return np.asarray((spans & right).sum(1) % 2, np.float64)


def _transform(points: Points, matrix: Points) -> Points:
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def _average(image: npt.NDArray[Any]) -> Samples:
    """Pixels from 2 x 2 samples each, by a tent that reaches one sample into the neighbours.

    A plain box leaves visible stairs on hair and jaw; lenses and sensors blur about this much.
    """
    for axis in (0, 1):
        image = np.moveaxis(image, axis, 0)
        inner = image[0::2] + image[1::2]
        before = np.concatenate([image[:1], image[1:-1:2]])
        after = np.concatenate([image[2::2], image[-1:]])
        image = np.moveaxis(
            inner * np.float32(0.375) + (before + after) * np.float32(0.125), 0, axis
        )
    return np.asarray(image, np.float32)


def _decide(coverage: Samples) -> npt.NDArray[np.uint8]:
    """The classes from (K, H, W) shares: head where it covers half, there the largest part."""
    head, rest = np.array(HEAD_LABELS), np.array([*TORSO_LABELS, Label.BACKGROUND])
    of_head, of_rest = (group[coverage[group].argmax(0)] for group in (head, rest))
    return np.where(coverage[head].sum(0) >= 0.5, of_head, of_rest).astype(np.uint8)


def _plate(size: int) -> npt.NDArray[np.uint8]:
    """The studio wall: a soft light behind the left shoulder, darker corners."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    pool = np.exp(-(((x - 0.36) / 0.55) ** 2 + ((y - 0.42) / 0.6) ** 2))
    low, high = np.array([0.47, 0.52, 0.56]), np.array([0.80, 0.83, 0.84])
    wall = low + (high - low) * pool[..., None] - 0.03 * smoothstep(0.6, 1.0, y)[..., None]
    return np.round(np.clip(wall, 0, 1) * 255).astype(np.uint8)
