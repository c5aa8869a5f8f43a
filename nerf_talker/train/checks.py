"""What is looked at before a run begins: data that no amount of training can mend."""

from __future__ import annotations

import numpy as np

from nerf_talker.data.dataset import Dataset
from nerf_talker.errors import TrainingError

LEAST_CONTRAST = 2.0
"""Standard deviation in grey levels below which a picture shows nothing."""

LOOKED_AT = 8


def check_dataset(dataset: Dataset) -> None:
    """Refuse a dataset without sound, with broken numbers, or whose pictures show nothing.

    Raises:
        TrainingError: What is wrong, and in which frame.
    """
    train = np.asarray(dataset.manifest.range("train"))
    poses = dataset.track.camera_to_head[train]
    broken = train[~np.isfinite(poses).all((1, 2))]
    if len(broken):
        raise TrainingError(
            f"{dataset.root}: the head pose of frame {broken[0]} is not finite; "
            "run 'nerf-talker preprocess' again"
        )
    if not np.isfinite(dataset.mean_shape).all():
        raise TrainingError(
            f"{dataset.root}: the mean face shape holds numbers that are not finite; "
            "run 'nerf-talker preprocess' again"
        )
    usable = train[dataset.track.valid[train]]
    if not len(usable):
        raise TrainingError(
            f"{dataset.root}: no training frame shows a face; look at the dataset's report.html"
        )
    if not len(dataset.audio.values):
        raise TrainingError(
            f"{dataset.root}: the clip's sound is empty; give a clip with speech to "
            "'nerf-talker preprocess'"
        )
    broken_rows = np.flatnonzero(~np.isfinite(dataset.audio.values).all(1))
    if len(broken_rows):
        raise TrainingError(
            f"{dataset.root}: row {broken_rows[0]} of the clip's speech features is not finite; "
            "run 'nerf-talker preprocess' again"
        )
    frames = usable[np.linspace(0, len(usable) - 1, LOOKED_AT).astype(int)]
    contrast = max(float(np.asarray(dataset.frames[frame]).std()) for frame in frames)
    if contrast < LEAST_CONTRAST:
        raise TrainingError(
            f"{dataset.root}: the training pictures are blank (contrast {contrast:.1f} of 255); "
            "check the clip's picture and preprocess it again"
        )
