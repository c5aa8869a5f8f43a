"""Stage: the rigid head shape and a head pose per frame.

The shape is fitted to the whole clip, held-out frames included, since every frame's pose needs it:
it is an input of the avatar, like the pose, and holds no colour.

Tracks of optical flow on the skin were tried as further measurements and left out: alone they are
no match for the alignment to the pictures, and as its start they cost forty times its time to
change the error by a tenth of a degree, up or down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nerf_talker.geometry import mesh
from nerf_talker.geometry.agreement import forehead_change
from nerf_talker.geometry.bundle import Poses, pnp_poses
from nerf_talker.geometry.headshape import mean_head
from nerf_talker.geometry.rotation import Array, rigid
from nerf_talker.geometry.track_report import TrackReport, report_track
from nerf_talker.geometry.tracking import HeadTrack, frame_by_frame, on_pictures, track_head
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.landmarks import read_detected, read_landmark_file, read_splices
from nerf_talker.types import ByteArray, Camera

TRACKING_FILE = "work/tracking.npz"
# The focal length in image widths. A head alone does not reveal it (the reprojection error is the
# same from 1 to 3.5 widths), so it is fixed at that of a usual portrait.
FOCAL_IN_WIDTHS = 2.0
# Landmarks that wander by less against a rigid head (pixels at 512 of width, see
# :func:`nerf_talker.geometry.track_report.wander`) are exact but for noise; changing light on the
# skin would only mislead. A landmarker's wander by 0.34 and more, also on the drawn sample.
EXACT_LANDMARKS = 0.2
# Poses aligned to the pictures are not used where the forehead, which takes no part in it, is less
# steady with them by more than this. On four real clips it is steadier by 6 to 23 %.
_UNSTEADY = 1.05


def clip_camera(size: int) -> Camera:
    """The one camera of a dataset of ``size`` squared frames."""
    return Camera(FOCAL_IN_WIDTHS * size, (size / 2, size / 2), size, size)


def run(context: StageContext) -> dict[str, Any]:
    """Write ``work/tracking.npz``: head_to_camera and mean_shape."""
    landmarks, _, valid = read_landmark_file(context)
    splices = read_splices(context)
    camera = clip_camera(context.options.size)
    shape = mean_head(landmarks, valid)
    start = track_head(camera, landmarks, valid, shape, splices=splices)
    first = report_track(camera, start, landmarks)
    chosen = _chosen(context, camera, start, first, landmarks)
    track = chosen.track
    # What single frames would give, before anything was smoothed: this is what jitter is beside.
    detected = pnp_poses(camera, track.shape[list(mesh.RIGID)], read_detected(context))
    track = replace(track, coarse=detected)
    target = context.scratch / TRACKING_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        target,
        head_to_camera=rigid(track.poses.rotation, track.poses.translation),
        mean_shape=track.shape,
    )
    return {
        "aligned_to": chosen.aligned_to,
        "focal_in_widths": FOCAL_IN_WIDTHS,
        "landmark_rms_px512": round(first.reprojection_rms, 3),
        "landmark_wander_px512": round(first.wander, 3),
        **_notes(report_track(camera, track, landmarks)),
        **chosen.notes,
        "warnings": chosen.warnings,
    }


@dataclass(frozen=True)
class _Choice:
    """What the poses are aligned to, the track, and what to say about it."""

    aligned_to: str
    track: HeadTrack
    notes: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def _chosen(
    context: StageContext, camera: Camera, start: HeadTrack, first: TrackReport, landmarks: Array
) -> _Choice:
    """The track that was asked for, or the better one."""
    wanted = context.options.poses
    if wanted == "pnp":
        alone = frame_by_frame(camera, start, landmarks)
        return _Choice("each frame's landmarks alone", alone)
    if wanted == "landmarks" or first.wander < EXACT_LANDMARKS:
        return _Choice("landmarks", start)
    pictures = lambda: _frames(context, len(landmarks))  # noqa: E731
    track = on_pictures(camera, start, landmarks, pictures)
    both = [start.poses, track.poses]
    before, after = forehead_change(camera, both, start.shape, start.seen, pictures)
    notes = {"forehead_change_landmarks": round(before, 3), "forehead_change": round(after, 3)}
    if after <= _UNSTEADY * before:
        return _Choice("pictures", track, notes)
    return _Choice("landmarks", start, notes, [_unsteady(before, after)])


def _unsteady(before: float, after: float) -> str:
    return (
        "the head was tracked by its landmarks alone: aligned to the pictures, the forehead was "
        f"less steady ({after:.1f} instead of {before:.1f} grey levels); even, constant light on "
        "the face would help"
    )


def _notes(report: TrackReport) -> dict[str, float]:
    return {
        "reprojection_rms_px512": round(report.reprojection_rms, 3),
        "reprojection_median_px512": round(report.reprojection_median, 3),
        "reprojection_p95_px512": round(report.reprojection_p95, 3),
        "jitter_px512": round(report.jitter, 3),
        "jitter_pnp_px512": round(report.jitter_pnp, 3),
        "jerk_px512": round(report.jerk, 3),
        "depth_jitter_percent": round(report.depth_jitter, 4),
        "depth_jitter_pnp_percent": round(report.depth_jitter_pnp, 4),
        "held_share": round(report.held, 4),
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
    version=9,
    inputs=("ingest", "landmarks"),
    outputs=(TRACKING_FILE,),
    options=("size", "poses"),
    files=(),
    run=run,
)
