"""The face models without MediaPipe: the pieces, and agreement where both are at hand."""

import numpy as np
import pytest

from nerf_talker.errors import WeightsError
from nerf_talker.geometry.mesh import lip_gap
from nerf_talker.preprocess import litert, models
from nerf_talker.preprocess.litert import Detection, _merged, anchors, square_about
from nerf_talker.preprocess.media import steady_frames
from nerf_talker.preprocess.models import FACE_MODEL, FaceLandmarker, choose_runtime
from nerf_talker.weights import locate


def test_anchors_cover_the_picture_evenly():
    centres = anchors()
    assert centres.shape == (896, 2)
    np.testing.assert_allclose(centres.mean(0), 0.5)
    np.testing.assert_allclose(centres[:2], 1 / 32)
    np.testing.assert_allclose(centres[2], [3 / 32, 1 / 32])
    np.testing.assert_allclose(centres[512:518], 1 / 16)


def test_overlapping_boxes_become_one():
    box = np.array([[0.0, 0], [10, 10], [3, 4], [7, 4]])
    found = _merged(np.stack([box, box + 1, box + 50]), np.array([0.6, 0.9, 0.7], np.float32))
    assert [round(face.score, 1) for face in found] == [0.9, 0.7]
    np.testing.assert_allclose(found[0].box, [0.6, 0.6, 10.6, 10.6], atol=1e-6)


def test_the_square_stands_upright_by_the_eyes():
    level = Detection(np.array([0.0, 0, 20, 10]), np.array([[5.0, 5], [15, 5]]), 1.0)
    np.testing.assert_allclose(square_about(level) @ [128, 128, 1], [10, 5])
    np.testing.assert_allclose(square_about(level) @ [256, 128, 1], [25, 5])
    steep = Detection(np.array([0.0, 0, 20, 20]), np.array([[10.0, 5], [10, 15]]), 1.0)
    np.testing.assert_allclose(square_about(steep) @ [256, 128, 1], [10, 25])


def test_what_cannot_run_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(models, "mediapipe_fault", lambda: "libEGL.so.1 is missing")
    monkeypatch.setattr(litert, "is_installed", lambda: True)
    assert choose_runtime() == "litert"
    with pytest.raises(WeightsError, match=r"libEGL\.so\.1 is missing.*pip install mediapipe"):
        choose_runtime("mediapipe")
    monkeypatch.setattr(litert, "is_installed", lambda: False)
    with pytest.raises(WeightsError, match=r"libEGL.*and LiteRT is not.*nerf-talker.litert"):
        choose_runtime()
    with pytest.raises(WeightsError, match="LiteRT is not installed"):
        choose_runtime("litert")
    monkeypatch.setattr(models, "mediapipe_fault", lambda: None)
    assert choose_runtime() == "mediapipe"


def test_a_file_that_is_no_bundle_is_refused(tmp_path):
    (tmp_path / "a.task").write_bytes(b"no zip")
    with pytest.raises(WeightsError, match="not a face landmarker bundle"):
        litert.LiteFace(tmp_path / "a.task", 1)


@pytest.fixture
def both():
    if locate(FACE_MODEL) is None:
        pytest.skip("face_landmarker.task is not at hand")
    if not litert.is_installed() or models.mediapipe_fault() is not None:
        pytest.skip("MediaPipe and LiteRT are not both installed")


def check_agreement(pictures, scale):
    found = []
    for runtime in ("mediapipe", "litert"):
        with FaceLandmarker(runtime=runtime) as landmarker:
            found.append([landmarker.read(picture)[0] for picture in pictures])
    marks = [np.stack([face.landmarks for face in faces]) for faces in found]
    shapes = [np.stack([face.blendshapes for face in faces]) for faces in found]
    apart = np.linalg.norm((marks[0] - marks[1])[..., :2], axis=-1) * scale
    assert np.median(apart) <= 4
    assert np.corrcoef(lip_gap(marks[0]), lip_gap(marks[1]))[0, 1] >= 0.95
    assert np.abs(shapes[0] - shapes[1]).mean() < 0.02


def test_both_agree_on_the_sample(both, performer):
    check_agreement([np.ascontiguousarray(p) for p in performer[::2]], 512 / 128)


@pytest.mark.parametrize("name", ["may_5s.mp4", "cnn2.mp4"])
def test_both_agree_on_real_frames(both, shared_clip, name):
    pictures = []
    for index, picture in enumerate(steady_frames(shared_clip(name), 25)):
        if index >= 100:
            break
        if index % 2 == 0:
            pictures.append(picture)
    check_agreement(pictures, 1.0)


def test_without_mediapipe_litert_steps_in(both, performer, monkeypatch):
    found = {}
    for runtime, fault in (("mediapipe", None), ("litert", "no libEGL")):
        monkeypatch.setattr(models, "mediapipe_fault", lambda fault=fault: fault)
        with FaceLandmarker() as face:
            assert face.runtime == runtime
        if locate(models.PERSON_MODEL) is None or locate(models.HAIR_MODEL) is None:
            pytest.skip("the hair and person models are not at hand")
        with models.PersonModel() as person, models.HairModel() as hair:
            found[runtime] = person.read(performer[0]), hair.read(performer[0])
    for first, second in zip(*found.values(), strict=True):
        assert first.shape == second.shape == (128, 128)
        assert ((first > 0.5) != (second > 0.5)).mean() < 0.02
