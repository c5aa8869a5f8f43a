from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from nerf_talker.evaluate.readers import MediaPipeReader, open_reader
from nerf_talker.weights import locate

pytestmark = pytest.mark.skipif(
    locate("face_landmarker.task") is None, reason="face_landmarker.task is not on this machine"
)


def test_mediapipe_reads_a_real_face(shared_clip):
    import av

    with av.open(str(shared_clip("may_5s.mp4"))) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        frames = [f.to_ndarray(format="rgb24") for f in islice(container.decode(stream), 4)]
    small = [np.ascontiguousarray(frame[::4, ::4]) for frame in frames]
    reader = MediaPipeReader()
    with reader.video() as large_video, reader.video() as small_video:
        for k, (frame, little) in enumerate(zip(frames, small, strict=True)):
            a, b = large_video.read(frame, k), small_video.read(little, k)
            assert a.landmarks.shape == (478, 3) and a.blendshapes.shape == (52,)
            assert np.abs(a.landmarks / 4 - b.landmarks).mean() < 1.5
        assert large_video.read(np.zeros((512, 512, 3), np.uint8), 4) is None
    with reader.video() as backwards, reader.video() as forwards:
        there = [forwards.read(frame, k).landmarks for k, frame in enumerate(frames)]
        back = [backwards.read(frame, k).landmarks for k, frame in enumerate(frames[::-1])]
    assert np.array_equal(there, back[::-1]), "a frame's reading depends on the frames before it"


def test_a_face_mediapipe_cannot_see_is_read_by_regression(toy):
    faceless = replace(toy, frames=np.zeros_like(toy.frames))
    reader = open_reader(faceless, toy.manifest.range("test"))
    assert reader.name == "crop regression"
    assert "MediaPipe finds a face in 0 of" in reader.missing_landmarks
