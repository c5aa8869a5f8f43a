"""Stage: the rigid head shape and a head pose per frame.

The shape is fitted to the whole clip, held-out frames included, since every frame's pose needs it:
it is an input of the avatar, like the pose, and holds no colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nerf_talker.geometry.bundle import Poses
from nerf_talker.geometry.headshape import mean_head
from nerf_talker.geometry.rotation import Array, rigid
from nerf_talker.geometry.tracking import nose_jitter, on_pictures, track_head
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.landmarks import read_landmark_file
from nerf_talker.types import ByteArray, Camera

TRACKING_FILE = "work/tracking.npz"
# The focal length in image widths. A head alone does not reveal it (the reprojection error is the
# same from 1 to 3.5 widths), so it is fixed at that of a usual portrait.
FOCAL_IN_WIDTHS = 2.0
# Landmarks that fit a rigid head this well (pixels at 512 of width) are exact; changing light on
# the skin would only mislead. Detected landmarks are two to four times worse.
EXACT_LANDMARKS = 0.4


def clip_camera(size: int) -> Camera:
    """The one camera of a dataset of ``size`` squared frames."""
    return Camera(FOCAL_IN_WIDTHS * size, (size / 2, size / 2), size, size)


def run(context: StageContext) -> dict[str, Any]:
    """Write ``work/tracking.npz``: head_to_camera and mean_shape."""
    landmarks, _, valid = read_landmark_file(context)
    camera = clip_camera(context.options.size)
    start = track_head(camera, landmarks, valid, mean_head(landmarks, valid))
    exact = start.rms * 512 / camera.width < EXACT_LANDMARKS
    track = start
    if not exact:
        track = on_pictures(camera, start, landmarks, lambda: _frames(context, len(landmarks)))
    target = context.scratch / TRACKING_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        target,
        head_to_camera=rigid(track.poses.rotation, track.poses.translation),
        mean_shape=track.shape,
    )
    scale = 512 / context.options.size
    return {
        "landmark_rms_px512": round(start.rms * scale, 3),
        "aligned_to": "landmarks" if exact else "pictures",
        "reprojection_rms_px512": round(track.rms * scale, 3),
        "reprojection_p95_px512": round(track.p95 * scale, 3),
        "jitter_landmarks_px512": round(nose_jitter(camera, start.poses, start.shape), 3),
        "jitter_px512": round(nose_jitter(camera, track.poses, track.shape), 3),
        "jitter_coarse_px512": round(nose_jitter(camera, track.coarse, track.shape), 3),
    }


def _frames(context: StageContext, count: int) -> Iterable[ByteArray]:
    return context.progress(read_video(context.done.frames, True), "tracking", count)


def read_tracking(context: StageContext) -> tuple[Poses, Array]:
    """Head-to-camera poses and the (478, 3) mean shape in metres, as this stage wrote them."""
    with np.load(context.root / TRACKING_FILE) as archive:
        pose = archive["head_to_camera"]
        return Poses(pose[:, :3, :3], pose[:, :3, 3]), archive["mean_shape"]


STAGE = Stage(
    name="tracking",
    version=5,
    inputs=("ingest", "landmarks"),
    outputs=(TRACKING_FILE,),
    options=("size",),
    files=(),
    run=run,
)
