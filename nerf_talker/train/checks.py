"""What is looked at before a run begins: data that no amount of training can mend."""

from __future__ import annotations

import numpy as np

from nerf_talker.data.dataset import Dataset
from nerf_talker.errors import ConfigError, TrainingError
from nerf_talker.render.talker import TalkerConfig
from nerf_talker.train.config import AudioPhaseConfig, TrainConfig

LEAST_CONTRAST = 2.0
"""Standard deviation in grey levels below which a picture shows nothing."""

LOOKED_AT = 8


def check_parts(talker: TalkerConfig, train: TrainConfig) -> None:
    """Refuse settings that mean nothing to a mouth code that is learned from the sound.

    Raises:
        ConfigError: The setting.
    """
    if talker.mouth.source != "sound":
        return
    given = {
        "talker.head.conditioners: landmarks": "landmarks" in talker.head.conditioners,
        "train.lip_consistency": train.lip_consistency.weight > 0,
        "train.motion_prior": bool(train.motion_prior),
        "train.init": train.init is not None,
        "train.audio": train.audio != AudioPhaseConfig(),
    }
    for setting, is_given in given.items():
        if is_given:
            raise ConfigError(
                f"{setting}: is of a mouth code of landmarks, but talker.mouth.source is sound; "
                "leave one of both out"
            )


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
