"""Stage: the person's eyes, and what a person should know about how the head moved."""

from __future__ import annotations

from typing import Any

import numpy as np

from nerf_talker.data.eyes import EyeTrack
from nerf_talker.geometry.rotation import Array
from nerf_talker.preprocess.eyes import eye_track, runs
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.landmarks import read_landmark_file, time_ranges
from nerf_talker.preprocess.stages.tracking import read_tracking

EYES_FILE = "eyes.npz"
# Degrees of yaw beyond which one eye corner hides and landmarks slide.
SIDE_VIEW = 35.0
# Seconds below this openness; a blink takes 0.1 to 0.4, looking down leaves the eyes more open.
LONG_CLOSED, SHUT = 0.6, 0.3


def run(context: StageContext) -> dict[str, Any]:
    """Write ``eyes.npz``."""
    landmarks, _, valid = read_landmark_file(context)
    poses, _ = read_tracking(context)
    eyes = eye_track(landmarks, valid)
    eyes.write(context.scratch / EYES_FILE)
    fps = context.options.fps
    minutes = len(landmarks) / fps / 60
    return {
        "blinks_per_minute": round(len(eyes.blinks) / minutes, 1),
        "shut_over_open_eye": round(float((eyes.span[:, 0] / eyes.span[:, 1]).mean()), 3),
        "warnings": [*_side_views(poses.rotation, fps), *_long_closed(eyes, fps)],
    }


def yaw_degrees(rotation: Array) -> Array:
    """(F,) turn of the head about its vertical, of (F, 3, 3) head-to-camera rotations."""
    # Where the head's z axis, which runs into the head, points in the camera's horizontal plane.
    return np.asarray(np.degrees(np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2])))


def _side_views(rotation: Array, fps: float) -> list[str]:
    frontal = np.abs(yaw_degrees(rotation)) <= SIDE_VIEW
    if frontal.all():
        return []
    return [
        f"the head is turned by more than {SIDE_VIEW:.0f} degrees ({time_ranges(frontal, fps)}); "
        "expect a weak picture there, or cut these parts out"
    ]


def _long_closed(eyes: EyeTrack, fps: float) -> list[str]:
    """Eyes shut for longer than a blink, which may also be landmarks that lost the lids."""
    shut = eyes.openness.mean(1) < SHUT
    seeing = ~shut
    for first, last in runs(shut):
        if last - first <= LONG_CLOSED * fps:
            seeing[first:last] = True
    if seeing.all():
        return []
    return [f"the eyes are shut for longer than a blink ({time_ranges(seeing, fps)})"]


STAGE = Stage(
    name="expression",
    version=1,
    inputs=("landmarks", "tracking"),
    outputs=(EYES_FILE,),
    options=("fps",),
    files=(),
    run=run,
)
