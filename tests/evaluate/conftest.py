import numpy as np
import pytest
from toy_face import FPS, SIZE, draw, features_of, gap_signal, landmarks_of, write_speech

from nerf_talker.data.dataset import Dataset
from nerf_talker.data.labels import Label
from nerf_talker.data.manifest import CameraModel, CropTransform, Manifest, contiguous_splits
from nerf_talker.types import FrameTrack


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A dataset of a drawn face, 132 frames of 64 pixels, opened without its files on disk."""
    root = tmp_path_factory.mktemp("toy")
    gaps = gap_signal(132)
    drawn = [draw(gap) for gap in gaps]
    frames = np.stack([picture for picture, _ in drawn])
    labels = np.where(drawn[0][1], Label.FACE, Label.BACKGROUND).astype(np.uint8)
    count = len(gaps)
    camera = CameraModel(focal=100.0, centre=(32.0, 32.0), height=SIZE, width=SIZE)
    manifest = Manifest(
        subject="toy",
        source="drawn",
        frames=count,
        fps=FPS,
        size=SIZE,
        camera=camera,
        crop=CropTransform(left=0, top=0, side=SIZE, source_width=SIZE, source_height=SIZE),
        splits=contiguous_splits(count),
        extractor="logmel40",
        preprocess_seconds=3.0,
    )
    points = landmarks_of(gaps)
    write_speech(root / "audio.wav", gaps)
    pose = np.repeat(np.eye(4, dtype=np.float32)[None], count, 0)
    track = FrameTrack(
        camera.camera(),
        pose,
        points,
        points / 1000,
        np.zeros((count, 52), np.float32),
        np.ones(count, bool),
        FPS,
    )
    return Dataset(
        root,
        manifest,
        track,
        points[0] / 1000,
        np.zeros((count, 6), np.float32),
        features_of(gaps),
        frames,
        np.repeat(labels[None], count, 0),
        np.repeat((labels * 85)[None], count, 0),
        frames[0],
        np.zeros((SIZE, SIZE, 4), np.uint8),
    )
