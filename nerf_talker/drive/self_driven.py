"""Rendering frames of a dataset from its own driving signals, as evaluation needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

from nerf_talker.data.dataset import Dataset
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.talker import Talker
from nerf_talker.train.driving import Drive, dataset_driving
from nerf_talker.train.precision import resolve_precision
from nerf_talker.types import SelfDrivenFrame

CHUNK = 64  # frames whose driving is held at once


def render_frames(
    talker: Talker, dataset: Dataset, frames: Sequence[int], drive: Drive
) -> Iterator[SelfDrivenFrame]:
    """Render frames of a dataset, one at a time.

    Head poses and the upper face come from the frames themselves, as with all peers; the mouth from
    the sound or from the landmarks; the torso's motion is predicted from the head pose, since new
    speech has no body track either. Each portrait also carries ``torso_driven``, the same head over
    the torso that the clip's own track moves.

    Args:
        talker: A trained talker.
        dataset: The opened dataset.
        frames: Frame indices in the order wanted.
        drive: What moves the mouth.

    Yields:
        One picture per frame.
    """
    device = talker.background.device
    renderer = PortraitRenderer(talker, resolve_precision("auto", device))
    for start in range(0, len(frames), CHUNK):
        driving = dataset_driving(dataset, frames[start : start + CHUNK], drive).to(device)
        predicted = talker.torso.moved_by_pose(driving)
        for row, portrait in enumerate(renderer.frames(predicted)):
            begun = perf_counter()
            driven = renderer.torso_driven(portrait, driving, row)
            seconds = perf_counter() - begun
            yield SelfDrivenFrame(**vars(portrait), torso_driven=driven, extra_seconds=seconds)
