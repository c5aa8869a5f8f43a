"""What evaluation holds out must not show through the still layers."""

import numpy as np
import pytest

from nerf_talker.data.labels import Label
from nerf_talker.data.manifest import DatasetFiles, contiguous_splits
from nerf_talker.preprocess import pipeline
from nerf_talker.preprocess.media import VideoWriter, read_video
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.stage import StageContext
from nerf_talker.preprocess.stages.torso import candidates

from .tiny import FRAMES, options


def overwrite_held_out_labels(root, label):
    labels = list(read_video(DatasetFiles(root).labels, True))
    first = contiguous_splits(FRAMES)["train"][1]
    with VideoWriter(DatasetFiles(root).labels, 64, 25, grey=True) as writer:
        for index, picture in enumerate(labels):
            writer.write(picture if index < first else np.full_like(picture, label))


@pytest.mark.parametrize(
    ("name", "label"), [("background", Label.BACKGROUND), ("torso", Label.TORSO)]
)
def test_held_out_frames_do_not_show_through_the_still_layers(copied, tiny, name, label):
    overwrite_held_out_labels(copied, label)
    scratch = copied / "again"
    scratch.mkdir()
    stage = next(stage for stage in pipeline.STAGES if stage.name == name)
    stage.run(StageContext(tiny.clip, copied, scratch, options(tiny), Journey()))
    layer = f"{name}.png"
    assert (scratch / layer).read_bytes() == (copied / layer).read_bytes()


def test_the_torsos_reference_is_a_training_frame_of_a_usual_place():
    landmarks = np.zeros((220, 478, 3))
    landmarks[:190, :, 0] = np.arange(190)[:, None]
    landmarks[190:, :, 0] = 94.5
    tried = candidates(landmarks, np.ones(220, bool), 25)
    assert tried == [94, 119, 69, 144]
    valid = np.ones(220, bool)
    valid[90:99] = False
    assert candidates(landmarks, valid, 25)[0] in (89, 99)
