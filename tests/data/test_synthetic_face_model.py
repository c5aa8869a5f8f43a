import os
from pathlib import Path

import numpy as np
import pytest

from nerf_talker.data.sample_canonical import write_canonical_face
from nerf_talker.data.synthetic import render_sample
from nerf_talker.geometry.mesh import lip_gap

SIZE = 192


@pytest.fixture(scope="module")
def model():
    default = Path(__file__).parents[2].parent / "shared" / "models"
    path = Path(os.environ.get("NERF_TALKER_MODELS", default)) / "face_landmarker.task"
    if not path.exists():
        pytest.skip("face_landmarker.task is not here; set NERF_TALKER_MODELS")
    return path


def detect(model, pictures):
    mp = pytest.importorskip("mediapipe")
    from mediapipe.tasks import python as tasks
    from mediapipe.tasks.python import vision

    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(model)), num_faces=1
    )
    found = []
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for picture in pictures:
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture.rgb)
            faces = landmarker.detect(image).face_landmarks
            found.append([[p.x, p.y] for p in faces[0]] if faces else None)
    return found


def test_a_face_detector_sees_the_sample_as_its_truth_says(model):
    sample = render_sample(seconds=3.0, size=SIZE, seed=0, frames=list(range(0, 75, 2)))
    found = detect(model, sample.pictures)
    assert all(face is not None for face in found)
    seen = SIZE * np.array(found)
    truth = np.stack([picture.landmarks for picture in sample.pictures])
    eyes = np.linalg.norm(truth[:, 33, :2] - truth[:, 263, :2], axis=1)
    off = np.linalg.norm(seen - truth[..., :2], axis=2) / eyes[:, None]
    assert np.median(off) < 0.03
    assert np.corrcoef(lip_gap(seen), lip_gap(truth))[0, 1] > 0.9


def test_the_shipped_mesh_is_the_one_in_the_model_file(model, tmp_path):
    from importlib import resources

    write_canonical_face(model, tmp_path / "face.npz")
    with resources.files("nerf_talker.data").joinpath("sample_face.npz").open("rb") as stream:
        shipped = dict(np.load(stream))
    made = np.load(tmp_path / "face.npz")
    assert all(np.array_equal(made[name], value) for name, value in shipped.items())
