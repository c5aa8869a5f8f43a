"""Cross-talk: does the sound move only the mouth, and a blink only the eyes?

Head pose, torso and appearance are held at those of a frame; then the mouth alone steps from the
split's most closed to its most open moment, and the upper-face expression alone from the most open
to the most closed eyes. The absolute change of the picture is shared out between the lower face
(from the base of the nose to below the chin), the upper face above it, and the rest of the frame.
A step of the mouth that shows in the upper face, or of the expression in the lower, is a leak; a
jaw that pulls the neck a little is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from nerf_talker.data.dataset import Dataset
from nerf_talker.evaluate.boxes import face_box
from nerf_talker.evaluate.figure_groups import CrossTalk, StepShares
from nerf_talker.geometry.mesh import NOSE_BASE, lip_gap
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.driving import Drive, dataset_driving
from nerf_talker.types import Driving, FloatArray

BASES = 3
"""Frames, evenly spaced, at which the steps are taken."""

CHIN_ROOM = 0.1
"""Part of the face's height by which an opening mouth lowers the chin at most."""

_BLINKS = (9, 10)


def cross_talk(
    renderer: PortraitRenderer, dataset: Dataset, frames: range, drive: Drive
) -> CrossTalk | None:
    """Shares of change of both steps, means over :data:`BASES` frames.

    Args:
        renderer: Of the talker.
        dataset: Whose frames give pose, mouth and expression.
        frames: Frames of the clip from which all of them are taken.
        drive: What moves the mouth.

    Returns:
        None when fewer than two of the frames show a face.
    """
    known = np.array([k for k in frames if dataset.track.valid[k]])
    if len(known) < 2:
        return None
    gaps = lip_gap(dataset.track.landmarks[known])
    lids = dataset.track.blendshapes[known][:, list(_BLINKS)].mean(-1)
    rows = [known[k] for k in (gaps.argmin(), gaps.argmax(), lids.argmin(), lids.argmax())]
    steps = dataset_driving(dataset, rows, drive)
    mouth, expression = [], []
    for base in known[np.linspace(0, len(known) - 1, BASES).round().astype(int)]:
        rest, spoken, blinked = _pictures(renderer, dataset_driving(dataset, [base], drive), steps)
        marks = dataset.track.landmarks[base]
        mouth.append(change_shares(np.abs(spoken - rest), marks))
        expression.append(change_shares(np.abs(blinked - rest), marks))
    return CrossTalk(mouth=_mean(mouth), expression=_mean(expression))


def change_shares(change: FloatArray, landmarks: FloatArray) -> FloatArray:
    """(3,) mean (H, W, 3) absolute change in the lower face, the upper face and elsewhere.

    Args:
        change: In [0, 1].
        landmarks: (478, 2 or more) pixels of the frame.
    """
    height, width = change.shape[:2]
    box = face_box(landmarks, height, width)
    line = int(np.clip(round(float(landmarks[NOSE_BASE, 1])), box.top, box.top + box.height))
    bottom = box.top + box.height + round(CHIN_ROOM * box.height)
    columns = slice(box.left, box.left + box.width)
    lower = float(change[line:bottom, columns].sum(dtype=np.float64))
    upper = float(change[box.top : line, columns].sum(dtype=np.float64))
    elsewhere = max(float(change.sum(dtype=np.float64)) - lower - upper, 0.0)
    return np.asarray(np.array([lower, upper, elsewhere]) / change.size, np.float32)


def _pictures(renderer: PortraitRenderer, base: Driving, steps: Driving) -> Iterator[FloatArray]:
    """At rest, with an open mouth, and with closed eyes; all else is the base frame's."""
    device = renderer.talker.background.device
    for mouth, eyes in ((0, 2), (1, 2), (0, 3)):
        driving = replace(
            base,
            audio=None if steps.audio is None else steps.audio[mouth : mouth + 1],
            landmarks=None if steps.landmarks is None else steps.landmarks[mouth : mouth + 1],
            expression=steps.expression[eyes : eyes + 1],
        ).to(device)
        yield next(iter(renderer.frames(renderer.talker.torso.moved_by_pose(driving)))).rgb


def _mean(every: list[FloatArray]) -> StepShares:
    lower, upper, elsewhere = np.mean(every, axis=0).astype(np.float64)
    whole = lower + upper + elsewhere
    if whole <= 0:
        return StepShares(change=0.0)
    return StepShares(
        change=255 * whole,
        lower_face=lower / whole,
        upper_face=upper / whole,
        elsewhere=elsewhere / whole,
    )
