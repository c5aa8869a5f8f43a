"""Stage: the clean background plate.

One still picture serves all frames, since new speech has no frames to take a background from. Where
the background changed in steps, by a cut or a moved camera, the picture shows the last of them: a
mixture of all would show things twice. One that never stands still is reported, or refused where
the picture would be a smear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nerf_talker.data.labels import Label
from nerf_talker.errors import InputError
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.plates import (
    alike_latest,
    brought_to,
    inpaint_smooth,
    masked_median,
    sampled,
    save_png,
    training_rows,
)
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import read_clip_record
from nerf_talker.types import BoolArray, ByteArray

# Pixels kept away from the person's edge, at 512 px of width: hair and blur reach that far.
_EDGE_MARGIN = 7
# Grey levels: a plate this far from the typical frame is 30 dB and a smear. Still rooms keep below
# 2.5, also where screens and people move in a corner.
REFUSED_MOTION = 8.0
# Grey levels by which a pixel differs clearly, and the share of the background worth a warning.
_CLEAR, WORTH_A_WARNING = 12.0, 0.02


def run(context: StageContext) -> dict[str, Any]:
    """Write ``background.png``: median of the training frames that look like the last of them.

    What those never show is filled from the median of all, brought to their look.

    Raises:
        InputError: The background moves too much for one picture, and "plain" was not chosen.
    """
    pictures, seen = _look(context)
    plate, count = masked_median(pictures, seen)
    known = count >= 2
    motion = motion_of(pictures, [mask & known for mask in seen], plate)
    plain = context.options.background == "plain"
    if plain:
        plate[:] = np.median(plate[known], 0) if known.any() else 128
    elif motion.typical > REFUSED_MOTION:
        raise InputError(
            f"{context.clip}: the background moves (a typical frame differs by "
            f"{motion.typical:.0f} grey levels from the still picture of it); film with a camera "
            "that stands still, or take one colour instead with --background plain"
        )
    alike = alike_latest(pictures, seen)
    if not plain:
        plate = inpaint_smooth(plate, known)
        latest, times = masked_median([pictures[k] for k in alike], [seen[k] for k in alike])
        plate = brought_to(plate, latest, times >= 2)
    save_png(context.new.background, plate)
    return {
        "like_latest_share": round(len(alike) / len(pictures), 4),
        "seen_share": round(float(known.mean()), 4),
        "motion_levels": round(motion.typical, 2),
        "moving_share": round(motion.area, 4),
        "warnings": [] if plain or motion.area < WORTH_A_WARNING else [_warning(motion)],
    }


def _warning(motion: BackgroundMotion) -> str:
    return (
        f"up to {motion.area:.0%} of the background changes in the clip; rendered speech shows how "
        "it looked last: stop what moves, or use --background plain"
    )


def _look(context: StageContext) -> tuple[list[ByteArray], list[BoolArray]]:
    """Training frames spread over the clip, and where each shows the background."""
    import cv2

    frames = read_clip_record(context).frames
    reach = max(round(_EDGE_MARGIN * context.options.size / 512), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    pictures, seen = [], []
    rows = set(sampled(training_rows(frames)))
    shown = read_video(context.done.frames, False, rows)
    for picture, classes in zip(shown, read_video(context.done.labels, True, rows), strict=True):
        person = (classes != Label.BACKGROUND).astype(np.uint8)
        seen.append(cv2.dilate(person, disc) == 0)
        pictures.append(picture)
    return pictures, seen


@dataclass(frozen=True)
class BackgroundMotion:
    """How far a background is from standing still.

    Attributes:
        typical: Median over the frames of the RMS difference from the plate, grey levels; a change
            of light that is the same everywhere does not count.
        area: 95th percentile over the frames of the share of the background that differs clearly.
    """

    typical: float
    area: float


def motion_of(
    pictures: list[ByteArray], seen: list[BoolArray], plate: ByteArray
) -> BackgroundMotion:
    """Compare K pictures (H, W, 3) with their plate where ``seen``, K times (H, W), says so."""
    size, area = [], []
    for picture, mask in zip(pictures, seen, strict=True):
        if not mask.any():
            continue
        off = picture[mask].astype(np.float32) - plate[mask]
        off = np.abs(off - np.median(off, 0)).mean(-1)
        size.append(float(np.sqrt((off**2).mean())))
        area.append(float((off > _CLEAR).mean()))
    if not size:
        return BackgroundMotion(0.0, 0.0)
    return BackgroundMotion(float(np.median(size)), float(np.percentile(area, 95)))


STAGE = Stage(
    name="background",
    version=4,
    inputs=("ingest", "parsing"),
    outputs=("background.png",),
    options=("background",),
    files=(),
    run=run,
)
