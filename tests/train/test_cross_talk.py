"""Lips and lids that move apart in training are kept apart by gates with a region prior."""

import pytest

from nerf_talker.data.dataset import Dataset
from nerf_talker.evaluate.crosstalk import cross_talk
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.trainer import Trainer
from tests.train.blinking_face import write_blinking_face
from tests.train.test_presets import tiny

STEPS = 150


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    return Dataset.open(write_blinking_face(tmp_path_factory.mktemp("blinking") / "dataset"))


def shares(face, name, folder):
    talker, train = tiny(name)
    run = RunFolder(folder)
    run.start("test\n")
    wanted = {"steps": STEPS, "checkpoint_interval": STEPS, "preview_interval": 10 * STEPS}
    trainer = Trainer(face, run, talker, train.model_copy(update=wanted), quiet=True)
    trainer.fit()
    renderer = PortraitRenderer(trainer.talker)
    return cross_talk(renderer, face, face.manifest.range("test"), "landmarks")


def test_speech_moves_the_lower_face_and_blinks_the_upper(face, tmp_path):
    found = shares(face, "synctalk", tmp_path)
    assert found.mouth.lower_face >= 0.9 and found.expression.upper_face >= 0.9
    assert found.mouth.change > 0.03 and found.expression.change > 0.005  # they do move
