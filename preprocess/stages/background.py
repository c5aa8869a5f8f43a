"""Stage: the clean background plate."""

from __future__ import annotations

from typing import Any

import numpy as np

from nerf_talker.data.labels import Label
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.plates import (
    inpaint_smooth,
    masked_median,
    sampled,
    save_png,
    training_rows,
)
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import read_clip_record

# Pixels kept away from the person's edge, at 512 px of width: hair and blur reach that far.
_EDGE_MARGIN = 7


def run(context: StageContext) -> dict[str, Any]:
    """Write ``background.png``: median of the training frames that show a pixel."""
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
    plate, count = masked_median(pictures, seen)
    known = count >= 2
    save_png(context.new.background, inpaint_smooth(plate, known))
    return {"seen_share": round(float(known.mean()), 4)}


STAGE = Stage(
    name="background",
    version=2,
    inputs=("ingest", "parsing"),
    outputs=("background.png",),
    options=(),
    files=(),
    run=run,
)
