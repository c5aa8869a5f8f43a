import dataclasses

import numpy as np

from nerf_talker.audio.logmel import log_mel
from nerf_talker.audio.sound import RATE, read_sound, write_wav
from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.evaluate.judged_sound import with_judged_sound
from nerf_talker.types import AudioFeatures


def test_sync_is_judged_by_log_mel_whatever_the_talker_hears_through(ellipse, tmp_path):
    path = DatasetFiles(tmp_path).sound
    write_wav(path, np.random.default_rng(0).normal(0, 0.1, RATE))
    other = AudioFeatures(np.zeros((50, 3), np.float32), 50.0, "hearing:01234567")
    dataset = dataclasses.replace(ellipse, root=tmp_path, audio=other)
    judged = with_judged_sound(dataset)
    np.testing.assert_array_equal(judged.audio.values, log_mel(read_sound(path), RATE).values)
    path.unlink()
    assert with_judged_sound(dataset) is dataset
    assert with_judged_sound(ellipse) is ellipse
