"""Data that no training can mend: each ends in one plain sentence that names the place."""

import dataclasses

import numpy as np
import pytest

from nerf_talker.errors import TrainingError
from nerf_talker.train import guard
from nerf_talker.train.checkpoint import latest_checkpoint, load_checkpoint
from tests.train.runs import QUICK, trainer


def test_pixels_that_are_no_numbers_end_in_the_frame_s_name(ellipse, tmp_path):
    """Pictures of eight bits cannot hold them; a reader that made them float could."""
    pictures = np.asarray(ellipse.frames).astype(np.float32)
    pictures[17] = np.nan
    said = []
    long = QUICK | {"steps": 400, "preview_interval": 1000}  # whenever the frame is drawn
    made = trainer(dataclasses.replace(ellipse, frames=pictures), tmp_path, said.append, **long)
    with pytest.raises(TrainingError, match=r"rgb of frame 17 not finite, again after 3 returns"):
        made.fit()
    assert len(said) == guard.PATIENCE
    state = load_checkpoint(latest_checkpoint(made.run.checkpoints))
    assert not any(bool(value.isnan().any()) for value in state["talker"].values())


def test_speech_features_that_are_no_numbers_are_named(ellipse, tmp_path):
    values = ellipse.audio.values.copy()
    values[40, 2] = np.inf
    audio = dataclasses.replace(ellipse.audio, values=values)
    with pytest.raises(TrainingError, match="row 40 of the clip's speech features is not finite"):
        trainer(dataclasses.replace(ellipse, audio=audio), tmp_path)


def test_a_face_shape_that_is_no_number_is_refused(ellipse, tmp_path):
    shape = ellipse.mean_shape.copy()
    shape[3, 0] = np.nan
    with pytest.raises(TrainingError, match="mean face shape holds numbers that are not finite"):
        trainer(dataclasses.replace(ellipse, mean_shape=shape), tmp_path)
