"""Stage: the torso layer (plate and motion) and the dataset's track file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nerf_talker.data.labels import is_head, is_torso
from nerf_talker.geometry import mesh
from nerf_talker.geometry.rotation import Array, inverse_rigid, rigid
from nerf_talker.geometry.tracking import expression_landmarks
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.plates import (
    diffuse,
    masked_median,
    sampled,
    save_png,
    training_rows,
)
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import read_clip_record
from nerf_talker.preprocess.stages.landmarks import read_landmark_file, read_splices
from nerf_talker.preprocess.stages.tracking import clip_camera, read_tracking
from nerf_talker.preprocess.torso_bend import (
    PlateTones,
    follow_bend,
    learn_bend,
    plate_map,
    still_bend,
)
from nerf_talker.preprocess.torso_motion import (
    Reference,
    as_plate_motion,
    follow,
    make_reference,
    settle,
)
from nerf_talker.types import BoolArray, ByteArray, FloatArray

# A pixel of the plate counts as seen when the head uncovers it this often.
_SEEN_SHARE = 0.04
# Width of the torso's rim whose colours are not used, in image widths.
_RIM = 0.006
# Frames tried as the reference, and frames each is tried on: one with motion blur tracks badly.
_CANDIDATES, _TRIALS = 4, 48
# Metres (15 um), pixels, and spreads of a mode.
CANONICAL_STEP, LANDMARK_STEP, BEND_STEP = 2.0**-16, 2.0**-7, 2.0**-10


def run(context: StageContext) -> dict[str, Any]:
    """Write ``torso.png`` and ``track.npz``."""
    landmarks, blendshapes, valid = read_landmark_file(context)
    index, reference = _reference(context, candidates(landmarks, valid, context.options.fps))
    frames = context.progress(_frames(context, True), "torso", len(landmarks))
    matrices, tracked = follow(reference, frames)
    splices = read_splices(context)
    matrices = settle(matrices, tracked, splices)
    modes, bend = still_bend(len(matrices))
    plate = _plate(context, matrices, modes, bend)
    share = float(tracked.mean())
    if share >= 0.5:
        plate, modes, bend = _bent(context, plate, matrices, splices)
    save_png(context.new.torso, plate)
    poses, shape = read_tracking(context)
    camera = clip_camera(context.options.size)
    canonical = expression_landmarks(camera, shape, landmarks)
    np.savez_compressed(
        context.new.track,
        camera_to_head=inverse_rigid(rigid(poses.rotation, poses.translation)).astype(np.float32),
        canonical_landmarks=_rounded(canonical, CANONICAL_STEP),
        mean_shape=shape.astype(np.float32),
        landmarks=_rounded(landmarks, LANDMARK_STEP),
        blendshapes=blendshapes,
        valid=valid,
        torso_motion=as_plate_motion(matrices, context.options.size),
        torso_modes=modes,
        torso_bend=_rounded(bend, BEND_STEP),
    )
    warnings = [] if share >= 0.5 else ["the torso could not be tracked; it is treated as still"]
    return {"reference_frame": index, "tracked_share": round(share, 4), "warnings": warnings}


def _bent(
    context: StageContext, plate: ByteArray, matrices: Array, splices: Sequence[int]
) -> tuple[ByteArray, FloatArray, FloatArray]:
    """A sharper plate, (K, G, G, 2) modes, both of training frames, and (F, K) coefficients."""
    rows = sampled(training_rows(len(matrices)))
    shown = zip(rows, _frames(context, True, set(rows)), strict=True)
    modes, bends = learn_bend(
        PlateTones.of(plate), ((*frame, matrices[row]) for row, frame in shown)
    )
    known = np.zeros((len(matrices), len(modes)))
    known[rows] = bends
    plate = _plate(context, matrices, modes, known)
    frames = context.progress(_frames(context, True), "torso bend", len(matrices))
    return plate, modes, follow_bend(PlateTones.of(plate), modes, frames, matrices, splices)


def _rounded(values: Array, step: float) -> FloatArray:
    """Multiples of ``step``, a power of two, far below the noise: the file is a third smaller."""
    return (np.round(values / step) * step).astype(np.float32)


def _frames(
    context: StageContext, grey: bool, rows: set[int] | None = None
) -> Iterator[tuple[ByteArray, ByteArray]]:
    pictures = read_video(context.done.frames, grey, rows)
    return zip(pictures, read_video(context.done.labels, True, rows), strict=True)


def candidates(landmarks: FloatArray, valid: BoolArray, fps: int) -> list[int]:
    """A few training frames, a second apart, whose face is nearest to the median place.

    Args:
        landmarks: (F, 478, 2 or 3) pixels.
        valid: (F,) bool, frames that may be picked.
        fps: Frames per second.
    """
    rows = np.flatnonzero(valid[: training_rows(len(valid)).stop])
    places = landmarks[rows][:, list(mesh.RIGID), :2].mean(1)
    away = np.linalg.norm(places - np.median(places, 0), axis=1)
    chosen: list[int] = []
    for row in rows[np.argsort(away, kind="stable")].tolist():
        if len(chosen) < _CANDIDATES and all(abs(row - other) >= fps for other in chosen):
            chosen.append(row)
    return chosen


def _reference(context: StageContext, tried: list[int]) -> tuple[int, Reference]:
    """The candidate from which most training frames can be tracked; the first of equals."""
    frames = training_rows(read_clip_record(context).frames)
    rows = sorted({*sampled(frames, _TRIALS), *tried})
    shown = dict(zip(rows, _frames(context, True, set(rows)), strict=True))
    references = [make_reference(*shown[row]) for row in tried]
    shares = [follow(reference, shown.values())[1].mean() for reference in references]
    best = int(np.argmax(shares))
    return tried[best], references[best]


def _plate(context: StageContext, matrices: Array, modes: FloatArray, bends: Array) -> ByteArray:
    """(S, S, 4): training frames brought back to the reference, the part behind the head filled.

    ``bends`` (F, K) is read for the sampled training frames alone.
    """
    import cv2

    size = context.options.size
    rows = sampled(training_rows(len(matrices)))
    colours, torso, uncovered = [], [], []
    rim = max(round(_RIM * size), 1)
    for index, (picture, labels) in zip(rows, _frames(context, False, set(rows)), strict=True):
        body = is_torso(labels).astype(np.uint8)
        # Colours from inside only: the rim holds background and the head's edge.
        clean = cv2.erode(body, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
        head = cv2.dilate(is_head(labels).astype(np.uint8), np.ones((3, 3), np.uint8))
        layers: list[Array] = [picture, clean * 255, body * 255, 255 - 255 * head]
        x, y = plate_map(matrices[index], modes, bends[index], size)
        warped: list[Array] = [
            cv2.remap(layer, x, y, kind, borderMode=cv2.BORDER_REPLICATE)
            for layer, kind in zip(layers, (cv2.INTER_CUBIC, 1, 1, 1), strict=True)
        ]
        colours.append((warped[0], warped[1] > 250))
        torso.append(warped[2] * (warped[3] > 250))
        uncovered.append(warped[3] > 250)
    colour, count = masked_median([c for c, _ in colours], [k for _, k in colours])
    times = np.stack(uncovered).sum(0)
    share = np.stack(torso).astype(np.float32).sum(0) / 255 / np.maximum(times, 1)
    alpha = _behind_head(share, times >= max(_SEEN_SHARE * len(torso), 2))
    known = (count >= max(_SEEN_SHARE * len(torso), 2)) & (share > 0.3)
    filled = diffuse(colour.astype(np.float32), known)
    plate = np.concatenate([filled, alpha[..., None] * 255], -1)
    return np.clip(np.round(plate), 0, 255).astype(np.uint8)


def _behind_head(share: FloatArray, seen: BoolArray) -> FloatArray:
    """Alpha of the plate: what was seen, continued smoothly where the head always covers it.

    The continuation is harmonic, so beside the neck it stays opaque and beside the background
    transparent; steepening it makes the neck reach up behind the jaw with firm sides.
    """
    filled = diffuse(share[..., None], seen)[..., 0]
    firm = np.clip((filled - 0.3) / 0.12, 0, 1)
    return np.where(seen, share, firm).astype(np.float32)


STAGE = Stage(
    name="torso",
    version=9,
    inputs=("ingest", "landmarks", "tracking", "parsing"),
    outputs=("torso.png", "track.npz"),
    options=(),
    files=(),
    run=run,
)
