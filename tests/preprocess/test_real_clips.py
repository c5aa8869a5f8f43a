"""The real models on real footage, where both are at hand; nothing of it is written to the tree."""

import numpy as np
import pytest

from nerf_talker.cli import main
from nerf_talker.data.labels import Label
from nerf_talker.errors import WeightsError
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.models import FACE_MODEL, HAIR_MODEL, PERSON_MODEL
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.pipeline import preprocess
from nerf_talker.weights import resolve


@pytest.fixture
def models():
    for name in (FACE_MODEL, HAIR_MODEL, PERSON_MODEL):
        try:
            resolve(name, fetch=False)
        except WeightsError as error:
            pytest.skip(f"model file missing: {error}")


def test_a_short_portrait_becomes_a_dataset(shared_clip, models, tmp_path):
    clip = shared_clip("may_5s.mp4")
    manifest = preprocess(clip, tmp_path / "d", PreprocessOptions(size=128, quiet=True))
    assert (manifest.frames, manifest.crop.side) == (125, 512)
    assert manifest.stages["tracking"].notes["reprojection_rms_px512"] < 3
    labels = np.stack(list(read_video(tmp_path / "d" / "labels.mkv", True)))
    for label in Label:
        assert 0.02 < (labels == label).mean() < 0.8, label


def test_inspect_grades_and_refuses(shared_clip, models, capsys):
    assert main(["inspect", str(shared_clip("may_5s.mp4"))]) == 0
    assert "one person in all" in capsys.readouterr().out
    assert main(["inspect", str(shared_clip("lpips/ex_ref.png"))]) == 1
