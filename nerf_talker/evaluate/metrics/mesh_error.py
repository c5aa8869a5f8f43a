"""Errors of the face mesh in millimetres: LVE and FDD.

Each frame's 478 points are first carried by a similarity onto one head (the truth's first frame in
canonical head space) by the points that speech does not move, so head pose and distance drop out;
the outer eye corners are then 89 mm apart.

LVE, lip vertex error (MeshTalk, 2021): per frame the largest distance of a lip vertex from its true
place, then the mean over frames; ``lve_squared_mm2`` keeps the squared distance, as CodeTalker's
script does. 0 is equality; lower is better.

FDD, upper-face dynamics deviation (CodeTalker, 2023): per upper-face vertex the standard deviation
over time of its distance from the template, truth minus prediction, mean over vertices. The
template is the truth's mean over time. 0 is equality, positive a face too still; errors of either
sign cancel, so ``fdd_abs_mm`` is the mean of the absolute values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nerf_talker.geometry import mesh
from nerf_talker.geometry.headshape import canonical_placement, similarity

Points = npt.NDArray[np.float64]

MILLIMETRES = 1000.0


@dataclass(frozen=True)
class MeshError:
    """The figures; see the module's docstring.

    Attributes:
        lve_mm: Per-frame largest lip error, (T,), NaN where a face is missing.
        lve_squared_mm2: Mean over frames of its square.
        fdd_mm: Signed.
        fdd_abs_mm: Mean of absolute values.
    """

    lve_mm: Points
    lve_squared_mm2: float
    fdd_mm: float
    fdd_abs_mm: float


def mesh_error(predicted: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]) -> MeshError:
    """Errors of (T, 478, 3) meshes in pixels, z growing into the scene.

    At least one frame must show a face, with depth, in both.
    """
    seen = np.isfinite(predicted).all((1, 2)) & np.isfinite(truth).all((1, 2))
    head = canonical_placement(np.asarray(truth[np.argmax(seen)], np.float64))
    one = aligned(np.asarray(predicted[seen], np.float64), head) * MILLIMETRES
    other = aligned(np.asarray(truth[seen], np.float64), head) * MILLIMETRES
    lips = list(mesh.LIPS)
    worst = np.linalg.norm(one[:, lips] - other[:, lips], axis=-1).max(1)
    series = np.full(len(seen), np.nan)
    series[seen] = worst
    upper = upper_face(head)
    template = other[:, upper].mean(0)
    moved = [np.linalg.norm(part[:, upper] - template, axis=-1).std(0) for part in (other, one)]
    still = moved[0] - moved[1]
    return MeshError(
        series, float((worst**2).mean()), float(still.mean()), float(np.abs(still).mean())
    )


def aligned(clouds: Points, head: Points) -> Points:
    """(T, 478, 3) clouds carried onto (478, 3) ``head`` by the points that speech does not move."""
    rigid = list(mesh.RIGID)
    moved = np.empty_like(clouds)
    for index, cloud in enumerate(clouds):
        scale, rotation, shift = similarity(cloud[rigid], head[rigid])
        moved[index] = scale * cloud @ rotation.T + shift
    return moved


def upper_face(head: Points) -> npt.NDArray[np.intp]:
    """Indices of the vertices above the base of the nose that are no irises."""
    face = np.arange(len(head)) < mesh.POINTS - 10
    return np.flatnonzero(face & (head[:, 1] < head[mesh.NOSE_BASE, 1]))
