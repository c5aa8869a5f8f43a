"""What the tests of whole runs share."""

import json

from nerf_talker.experiment import load_config
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.trainer import Trainer

QUICK = {"torso": {"steps": 2, "pixels": 256, "frames": 4}}
"""Settings for runs whose sound and torso do not matter."""


def rows(run):
    return [json.loads(line) for line in RunFolder(run).metrics.read_text().splitlines()]


def losses(run):
    return [(row["step"], row["rgb"]) for row in rows(run) if row["step"]]


def trainer(dataset, folder, say=lambda line: None, mouth=None, **settings):
    """A trainer of the smoke configuration on a folder that may hold a stopped run.

    ``mouth`` takes the place of the mouth code's settings.
    """
    config = load_config("smoke")
    talker = config.talker.model_copy(update={} if mouth is None else {"mouth": mouth})
    train = config.train.model_validate(config.train.model_dump() | settings)
    run = RunFolder(folder)
    if not run.config.is_file():
        run.start("test\n")
    return Trainer(dataset, run, talker, train, quiet=True, say=say)
