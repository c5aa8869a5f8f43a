"""Head and face of a clip that drives an avatar: only the stages that this takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerf_talker.errors import InputError
from nerf_talker.geometry.rotation import inverse_rigid, rigid
from nerf_talker.geometry.tracking import expression_landmarks
from nerf_talker.preprocess.failure import attempt
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.stage import WORK, StageContext, publish
from nerf_talker.preprocess.stages import ingest, landmarks, tracking
from nerf_talker.preprocess.stages.landmarks import read_landmark_file
from nerf_talker.preprocess.stages.tracking import clip_camera, read_tracking
from nerf_talker.types import FrameTrack
from nerf_talker.weights import resolve

SIZE = 256  # pixels: poses come from landmarks, which are read at their own size
_STAGES = (ingest.STAGE, landmarks.STAGE, tracking.STAGE)


def track_clip(clip: Path, folder: Path, fps: int, sound: Path, quiet: bool = True) -> FrameTrack:
    """Poses, landmarks and blendshapes of a clip.

    Args:
        clip: A video that shows a face; it needs no sound.
        folder: An empty folder for what is made on the way.
        fps: Frames per second wanted.
        sound: Any sound file; the clip's own is not looked at.
        quiet: No progress bar.

    Raises:
        InputError: The clip cannot be read, or shows no face.
        WeightsError: A model file is missing.
    """
    if not clip.is_file():
        raise InputError(f"{clip}: no such file; --drive-video takes a video or a dataset folder")
    options = PreprocessOptions(
        size=SIZE, fps=min(max(fps, 10), 60), audio=sound, poses="landmarks", quiet=quiet
    )
    for name in {name for stage in _STAGES for name in stage.needs(options)}:
        resolve(name, options.models)
    journey = Journey([stage.name for stage in _STAGES], not quiet)
    try:
        for stage in _STAGES:
            scratch = folder / WORK / f"{stage.name}.partial"
            scratch.mkdir(parents=True)
            context = StageContext(clip, folder, scratch, options, journey)
            journey.enter(stage.name)
            attempt(stage, context)
            publish(stage, scratch, folder)
            journey.leave()
    finally:
        journey.close()
    return _track(context)


def _track(context: StageContext) -> FrameTrack:
    points, shapes, valid = read_landmark_file(context)
    poses, shape = read_tracking(context)
    camera = clip_camera(context.options.size)
    return FrameTrack(
        camera,
        inverse_rigid(rigid(poses.rotation, poses.translation)).astype(np.float32),
        points,
        expression_landmarks(camera, shape, points).astype(np.float32),
        shapes,
        valid,
        context.options.fps,
    )
