"""A clip that drives an avatar is tracked without its sound, masks or plates."""

import numpy as np
import pytest

from nerf_talker.preprocess.drive_clip import track_clip
from nerf_talker.weights import locate
from tests.builders import write_video

FRAMES = 55


@pytest.fixture
def silent_clip(shared_clip, tmp_path):
    """The first two seconds of a real clip, small and without sound."""
    import av

    if locate("face_landmarker.task", None) is None:
        pytest.skip("the face model is not on this machine")
    pictures = []
    with av.open(str(shared_clip("may_5s.mp4"))) as source:
        source.streams.video[0].thread_type = "NONE"
        for frame in source.decode(video=0):
            pictures.append(frame.reformat(192, 192).to_ndarray(format="rgb24"))
            if len(pictures) == FRAMES:
                break
    write_video(tmp_path / "clip.mp4", np.stack(pictures), "libx264", "yuv420p", "rgb24")
    return tmp_path / "clip.mp4"


def test_every_frame_has_a_pose_and_a_face(silent_clip, tmp_path):
    (tmp_path / "work").mkdir()
    track = track_clip(silent_clip, tmp_path / "work", 25, tmp_path / "no-sound-is-read.wav")
    assert len(track.valid) == FRAMES and track.valid.all() and track.fps == 25
    turn = track.camera_to_head[:, :3, :3].astype(float)
    np.testing.assert_allclose(
        turn @ turn.transpose(0, 2, 1), np.tile(np.eye(3), (FRAMES, 1, 1)), atol=1e-5
    )
    assert np.degrees(np.arccos(turn[:, 2, 2])).max() < 45, "not facing the camera"
    # What is left of the landmarks in head space is expression: the rigid nose bridge stays.
    bridge = track.canonical_landmarks[:, 168]
    assert np.abs(bridge - bridge.mean(0)).max() < 0.004
    lids = track.blendshapes[:, 9:11].mean(1)
    assert lids.min() < 0.25 and lids.max() > 0.4, "its blink is seen"
