"""The real models on real footage, where both are at hand; nothing of it is written to the tree."""

import numpy as np
import pytest

from nerf_talker.cli import main
from nerf_talker.data.labels import Label
from nerf_talker.errors import InputError, WeightsError
from nerf_talker.geometry.mesh import NOSE_BRIDGE, lip_gap
from nerf_talker.preprocess.media import read_video, steady_frames
from nerf_talker.preprocess.models import FACE_MODEL, HAIR_MODEL, PERSON_MODEL, FaceLandmarker
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.pipeline import preprocess
from nerf_talker.preprocess.steady import jumps, steady
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
    for label in (Label.BACKGROUND, Label.TORSO, Label.HAIR, Label.FACE):
        assert 0.02 < (labels == label).mean() < 0.8, label
    for label in (Label.LIPS, Label.EYES, Label.NECK):
        assert 0.001 < (labels == label).mean() < 0.1, label


def test_inspect_grades_and_refuses(shared_clip, models, capsys):
    assert main(["inspect", str(shared_clip("may_5s.mp4"))]) == 0
    assert "one person in all" in capsys.readouterr().out
    assert main(["inspect", str(shared_clip("lpips/ex_ref.png"))]) == 1


def test_a_clip_without_sound_is_refused_for_that_alone(shared_clip, models, tmp_path):
    clip = shared_clip("franck_silent.mp4")
    with pytest.raises(InputError, match=r"no sound track.*--audio FILE"):
        preprocess(clip, tmp_path / "d", PreprocessOptions(size=128, quiet=True))


def test_reading_faces_makes_nothing_late(shared_clip, models):
    """Against single pictures, which know no time; the sound is not needed."""
    clip, found = shared_clip("may_5s.mp4"), []
    with FaceLandmarker() as landmarker:
        found = [landmarker.read(picture)[0].landmarks for picture in steady_frames(clip, 25)]
    raw = np.stack(found)
    calm = raw.copy()
    steady(calm, jumps(raw, np.ones(len(raw), bool)))
    gap, same = lip_gap(raw), lip_gap(calm)
    lags = [np.corrcoef(gap[5:-5], same[5 + k : len(same) - 5 + k])[0, 1] for k in range(-5, 6)]
    assert int(np.argmax(lags)) == 5 and lags[5] > 0.99

    def jitter(points):
        return np.sqrt((np.diff(points[:, NOSE_BRIDGE, :2], 2, axis=0) ** 2).sum(-1).mean())

    assert jitter(calm) < 0.7 * jitter(raw)
