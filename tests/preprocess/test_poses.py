"""How far head tracking goes is the user's choice."""

import numpy as np
import pytest

from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import pnp_poses
from nerf_talker.preprocess import pipeline
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.stage import StageContext
from nerf_talker.preprocess.stages import tracking

from .tiny import options


@pytest.fixture
def tracked(copied, tiny):
    """Runs the tracking stage alone; returns its notes and its file's arrays."""

    def run(**changes):
        scratch = copied / "again"
        context = StageContext(tiny.clip, copied, scratch, options(tiny, **changes), Journey())
        notes = tracking.run(context)
        with np.load(scratch / tracking.TRACKING_FILE) as archive:
            return notes, dict(archive)

    return run


def test_exact_landmarks_need_no_pictures(tracked, monkeypatch):
    monkeypatch.setattr(tracking, "EXACT_LANDMARKS", 1.0)
    notes, first = tracked()
    assert notes["aligned_to"] == "landmarks"
    assert notes["landmark_wander_px512"] < 1.0
    _, second = tracked(poses="landmarks")
    np.testing.assert_array_equal(first["head_to_camera"], second["head_to_camera"])


def test_wandering_landmarks_send_the_tracker_to_the_pictures(tracked, monkeypatch):
    monkeypatch.setattr(tracking, "EXACT_LANDMARKS", 0.0)
    assert tracked()[0]["aligned_to"] == "pictures"
    assert tracked(poses="landmarks")[0]["aligned_to"] == "landmarks"


def test_poses_that_shake_the_forehead_are_not_used(tracked, monkeypatch):
    monkeypatch.setattr(tracking, "EXACT_LANDMARKS", 0.0)
    _, landmarks = tracked(poses="landmarks")
    monkeypatch.setattr(tracking, "forehead_change", lambda *_: [1.0, 1.2])
    notes, found = tracked()
    assert notes["aligned_to"] == "landmarks" and notes["forehead_change"] == 1.2
    assert "less steady (1.2 instead of 1.0 grey levels)" in notes["warnings"][0]
    np.testing.assert_array_equal(found["head_to_camera"], landmarks["head_to_camera"])


def test_pnp_poses_are_those_of_each_frame_alone(tracked, copied):
    notes, arrays = tracked(poses="pnp")
    rigid = list(mesh.RIGID)
    marks = np.load(copied / "work/landmarks.npz")["landmarks"]
    alone = pnp_poses(tracking.clip_camera(64), arrays["mean_shape"][rigid], marks[7:8, rigid, :2])
    np.testing.assert_allclose(arrays["head_to_camera"][7, :3, :3], alone.rotation[0], atol=1e-6)
    assert notes["jitter_px512"] == pytest.approx(notes["jitter_pnp_px512"], rel=0.2)


def test_another_choice_tracks_again_and_reads_nothing_anew(copied, tiny, monkeypatch):
    ran, original = [], pipeline._run
    monkeypatch.setattr(
        pipeline, "_run", lambda stage, *rest: (ran.append(stage.name), original(stage, *rest))[1]
    )
    manifest = pipeline.preprocess(tiny.clip, copied, options(tiny, poses="pnp"))
    assert ran == ["tracking", "expression", "torso"]
    assert manifest.stages["tracking"].notes["focal_in_widths"] == tracking.FOCAL_IN_WIDTHS
