"""A picture of how a run is doing."""

from __future__ import annotations

import numpy as np

from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.driving import dataset_driving
from nerf_talker.train.learner import Learner


def write_preview(learner: Learner) -> None:
    """Render the validation range's middle frame from its sound, beside the truth."""
    val = learner.dataset.manifest.range("val")
    frame = val[len(val) // 2]
    with learner.average.applied(learner.talker.learned()):
        renderer = PortraitRenderer(learner.talker, learner.autocast)
        driving = dataset_driving(learner.dataset, [frame], "audio").to(learner.device)
        picture = next(renderer.frames(driving)).rgb
    learner.talker.train()
    rendered = np.round(picture * 255).astype(np.uint8)
    learner.run.preview(learner.step, learner.dataset.frames[frame], rendered)
