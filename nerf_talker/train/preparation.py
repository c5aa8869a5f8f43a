"""What is fixed before a step is taken: the head's volume, the statistics, the first occupancy."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nerf_talker.data.dataset import Dataset
from nerf_talker.errors import TrainingError
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.mesh import CHIN, LIPS
from nerf_talker.render.talker import Subject, Talker
from nerf_talker.types import AudioFeatures, BoolArray, FloatArray

# Generous bounds of a human head with hair around the point between the ears, metres.
WIDEST_BOX = ((-0.17, -0.26, -0.15), (0.17, 0.18, 0.16))
MARGIN = 0.008  # metres kept free around the hull, so that soft hair has room
HULL_FRAMES = 48
NOSE_TIP = 1
TORSO_RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1e4)
# Cells kept in front of and behind the face's rigid surface, metres; the mouth has an inside.
FACE_SHELL = (0.014, 0.026)
MOUTH_DEPTH = 0.045
# Near its outline the face turns away from the camera and meets ears, temples and hair.
RIM, RIM_DEPTH = 0.02, 0.09
# Cells kept around the skull's ellipsoid outside the face, in units of its radii.
SKULL_SHELL = (0.72, 1.3)
SKULL_DEPTH = 0.1  # metres from the ears' axis to the forehead
DEEPEST = 0.07  # metres behind the ears' axis; a portrait never shows more


def shell(dataset: Dataset, points: Tensor, box: Tensor) -> BoolArray:
    """Where a head's visible surface can lie: which of (P, 3) points.

    Inside the face's outline a slab around the rigid mean shape, elsewhere a thick shell around an
    ellipsoid that fills ``box`` sideways. Silhouettes alone leave the depth of a frontal clip open,
    and a field that starts as a solid block takes minutes to find its surface.
    """
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import ConvexHull

    shape = dataset.mean_shape.astype(np.float64)
    position = points.numpy().astype(np.float64)
    surface = LinearNDInterpolator(shape[:, :2], shape[:, 2])(position[:, :2])
    in_face = np.isfinite(surface)
    behind = position[:, 2] - np.where(in_face, surface, 0)
    lips = shape[list(LIPS)].mean(0)
    near_mouth = np.linalg.norm(position[:, :2] - lips[:2], axis=-1) < 0.035
    outline = ConvexHull(shape[:, :2]).equations
    inward = -(position[:, :2] @ outline[:, :2].T + outline[:, 2]).max(-1)
    deep = np.where(near_mouth, MOUTH_DEPTH, FACE_SHELL[1])
    deep = np.where(inward < RIM, RIM_DEPTH, deep)
    face = in_face & (behind > -FACE_SHELL[0]) & (behind < deep)
    low, high = box.numpy().astype(np.float64)
    chin = shape[CHIN, 1]
    centre = np.asarray([(low[0] + high[0]) / 2, (low[1] + MARGIN + chin) / 2, 0.0])
    radii = np.asarray([(high[0] - low[0]) / 2 - MARGIN, (chin - low[1]) / 2, SKULL_DEPTH])
    distance = np.linalg.norm((position - centre) / radii, axis=-1)
    skull = (distance > SKULL_SHELL[0]) & (distance < SKULL_SHELL[1]) & ~in_face
    return face | skull


def hull(dataset: Dataset, points: Tensor, share: float = 0.94) -> BoolArray:
    """Visual hull: which (P, 3) points fall into the head's mask in nearly all frames.

    ``share`` below one forgives a few bad masks. The mask is grown by 1.5 % of the image so that
    its soft edge is kept (Laurentini 1994).
    """
    import cv2

    train = np.asarray(dataset.manifest.range("train"))
    usable = train[dataset.track.valid[train]]
    frames = usable[np.linspace(0, len(usable) - 1, min(HULL_FRAMES, len(usable))).astype(int)]
    camera = dataset.track.camera
    grow = 2 * max(round(0.015 * camera.width), 1) + 1
    votes = np.zeros(len(points), np.int64)
    positions = points.numpy().astype(np.float64)
    for frame in frames:
        head_to_camera = np.linalg.inv(dataset.track.camera_to_head[frame].astype(np.float64))
        seen = positions @ head_to_camera[:3, :3].T + head_to_camera[:3, 3]
        pixel = seen[:, :2] / seen[:, 2:] * camera.focal + np.asarray(camera.centre)
        column = np.clip(pixel[:, 0].astype(int), 0, camera.width - 1)
        row = np.clip(pixel[:, 1].astype(int), 0, camera.height - 1)
        mask = cv2.dilate(np.asarray(dataset.head_alpha[frame]), np.ones((grow, grow), np.uint8))
        votes += mask[row, column] > 16
    return votes >= share * len(frames)


def subject(dataset: Dataset) -> Subject:
    """The head's volume, the region the mouth may deform, and the sizes the data dictates."""
    low, high = (torch.tensor(corner) for corner in WIDEST_BOX)
    line = (torch.arange(48) + 0.5) / 48
    mesh = torch.meshgrid(line, line, line, indexing="ij")
    points = low + torch.stack([axis.reshape(-1) for axis in mesh], -1) * (high - low)
    nose = dataset.mean_shape[NOSE_TIP]
    inside = points[torch.from_numpy(hull(dataset, points))]
    if not len(inside):
        raise TrainingError(
            f"{dataset.root}: the head's masks and poses do not agree on any volume; look at the "
            "contact sheet in the dataset's report.html"
        )
    cell = (high - low) / 48
    box = torch.stack([inside.amin(0) - cell - MARGIN, inside.amax(0) + cell + MARGIN])
    # The silhouette does not bound depth: the nose does in front, the skull's length behind.
    box[0, 2] = float(nose[2]) - 0.015
    box[1, 2] = DEEPEST
    lips = torch.from_numpy(dataset.mean_shape[list(LIPS)])
    centre = lips.mean(0) + torch.tensor([0.0, 0.012, 0.01])
    radius = torch.tensor([0.065, 0.06, 0.06])
    train = dataset.manifest.range("train")
    return Subject(
        dataset.track.camera,
        box,
        torch.stack([centre, radius]),
        dataset.audio.values.shape[1],
        len(train),
    )


def fit_statistics(talker: Talker, dataset: Dataset) -> None:
    """Closed-form parts, from training frames only: codes, scales, plates, first occupancy."""
    train = dataset.manifest.range("train")
    rows = slice(train.start, train.stop)
    track = dataset.track
    valid = track.valid[rows]
    talker.mouth.fit(track.canonical_landmarks[rows][:, list(MOUTH_POINTS)], valid)
    know_face(talker, dataset)
    talker.expression.fit(track.blendshapes[rows], valid)
    talker.audio.fit_normalisation(features_of(dataset.audio, train, track.fps))
    talker.torso.start_from(dataset.torso, dataset.torso_modes)
    _fit_torso_motion(talker, dataset)
    talker.background.copy_(torch.from_numpy(dataset.background.astype(np.float32) / 255))
    centres = talker.occupancy.centres()
    near = torch.from_numpy(shell(dataset, centres, talker.occupancy.box))
    near = near.reshape(1, 1, *talker.occupancy.cells.shape).float()
    # One cell more all round: face slab and skull shell else part where they meet, and a head bent
    # far down shows the crack.
    grown = F.max_pool3d(near, 3, 1, 1)[0, 0] > 0
    inside = torch.from_numpy(hull(dataset, centres)).reshape(grown.shape)
    talker.occupancy.start_from(grown & inside)


def features_of(sound: AudioFeatures, frames: range, fps: float) -> FloatArray:
    """(A, D) speech features that are heard during a range of frames."""
    first, last = (round(frame / fps * sound.rate) for frame in (frames.start, frames.stop))
    return sound.values[first:last]


def know_face(talker: Talker, dataset: Dataset) -> None:
    """Tell the head of the training frames' face, as the fitted mouth code describes it."""
    rows = slice(*dataset.manifest.splits["train"])
    mouth = dataset.track.canonical_landmarks[rows][:, list(MOUTH_POINTS)]
    talker.head.know_face(talker.mouth, mouth, dataset.track.valid[rows], dataset.mean_shape)


def _fit_torso_motion(talker: Talker, dataset: Dataset) -> None:
    """Fit torso motion and bend to head pose; validation picks how much the pose is believed.

    The strongest ridge leaves the mean motion: right for a body that ignores the head.
    """
    train, val = (slice(*dataset.manifest.splits[split]) for split in ("train", "val"))
    poses, model = dataset.track.camera_to_head, talker.torso.motion
    for wanted, fit, error in (
        (dataset.torso_motion, model.fit, model.error),
        (dataset.torso_bend, model.fit_bend, model.bend_error),
    ):
        errors = []
        for ridge in TORSO_RIDGES:
            fit(poses[train], wanted[train], ridge)
            errors.append(error(poses[val], wanted[val]))
        fit(poses[train], wanted[train], TORSO_RIDGES[int(np.argmin(errors))])
