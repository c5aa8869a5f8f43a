"""Idle and generated head motion has the clip's statistics, no loop and no jump."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.drive.motion.chart import PoseChart
from nerf_talker.drive.motion.graph import LEVER, GraphWalk
from nerf_talker.drive.motion.nods import Nods, loudness
from nerf_talker.drive.motion.poses import FixedPose, Replay

from .moving import FPS, clip, joined, same
from .test_drive import write_tone

MINUTE = 1500


@pytest.fixture(scope="module")
def reference():
    return clip(3000)


def places(reference, motion, frames=MINUTE):
    """(frames, 6) coordinates in metres, a turn by what it moves the skin."""
    poses = motion.frames(0, frames).camera_to_head
    scale = np.asarray([LEVER] * 3 + [1.0] * 3)
    return PoseChart(reference.camera_to_head).coordinates(poses) * scale


def speed(values):
    return np.sqrt((np.diff(values, axis=0) ** 2).sum(1).mean())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_minute_has_the_statistics_of_the_clip(reference, seed):
    truth = places(reference, Replay(reference), 2 * MINUTE)
    idle = places(reference, GraphWalk(reference, seed))
    spread = truth.std(0)
    assert np.sqrt(np.mean(((idle.mean(0) - truth.mean(0)) / spread) ** 2)) < 0.2
    assert np.abs(idle.std(0) / spread - 1).max() < 0.2
    assert speed(idle) / speed(truth) == pytest.approx(1, abs=0.2)


def repetition(values):
    """Highest autocorrelation at more than five seconds."""
    normal = (values - values.mean(0)) / values.std(0)
    lags = range(125, len(values) // 2, 5)
    return max(float(np.mean(normal[lag:] * normal[:-lag])) for lag in lags)


def test_it_does_not_repeat_as_the_replay_does(reference):
    assert repetition(places(reference, Replay(reference), 8 * MINUTE)) > 0.9
    assert repetition(places(reference, GraphWalk(reference, 0), 4 * MINUTE)) < 0.5


def test_joints_do_not_jump(reference):
    def jumps(values):
        return np.linalg.norm(np.diff(values, 2, axis=0), axis=1)

    walk = GraphWalk(reference, 0)
    idle = jumps(places(reference, walk, 4 * MINUTE))
    usual = jumps(places(reference, Replay(reference)))
    begins = [begin for begin in walk.begins[1:] if begin + walk.joint < 4 * MINUTE]
    at_joints = np.concatenate([idle[begin - 2 : begin + walk.joint] for begin in begins])
    assert len(begins) > 40
    # Held poses apart, joints are where the walk could jump; none does by more than twice the clip.
    assert np.percentile(at_joints, 95) < 1.5 * np.percentile(usual, 95)
    assert at_joints.max() < 1.5 * usual.max()


def test_chunks_and_order_do_not_matter_and_seeds_do(reference):
    whole = GraphWalk(reference, 3).frames(0, 400)
    walk = GraphWalk(reference, 3)
    late = walk.frames(300, 400)
    parts = [walk.frames(start, start + 25) for start in range(0, 300, 25)]
    assert same(joined([*parts, late]), whole)
    assert not same(GraphWalk(reference, 4).frames(0, 400), whole)


def test_frames_far_away_need_no_more_memory(reference):
    walk = GraphWalk(reference, 0)
    assert len(walk.frames(30_000, 30_050)) == 50
    assert len(walk.pieces) < 30_000 / (1.5 * FPS) + 2


@pytest.mark.parametrize("count", [1, 2, 7, 39, 40, 60, 130])
def test_short_clips_move_as_far_as_they_can(count):
    motion = GraphWalk(clip(count), 0).frames(0, 500)
    assert len(motion) == 500
    assert bool(torch.isfinite(motion.camera_to_head).all())


def test_a_fixed_pose_is_one_of_the_clip_and_stays(reference):
    motion = FixedPose(reference).frames(0, MINUTE)
    assert bool((motion.camera_to_head == motion.camera_to_head[0]).all())
    assert bool((motion.torso_motion == motion.torso_motion[0]).all())
    assert not bool((motion.expression == motion.expression[0]).all())
    spread = places(reference, Replay(reference))
    held = places(reference, FixedPose(reference), 1)[0]
    assert (np.abs(held - np.median(spread, 0)) / spread.std(0)).max() < 1


def test_gaze_that_follows_the_head_stands_still_with_it(reference):
    turns = PoseChart(reference.camera_to_head).coordinates(reference.camera_to_head)[:, 1]
    following = reference.expression.clone()
    own = following[:, 8].clone()
    following[:, 7] = torch.from_numpy(0.3 - 4 * turns).float()
    motion = FixedPose(replace(reference, expression=following)).frames(0, len(reference))
    assert float(motion.expression[:, 7].std()) < 0.05 * float(following[:, 7].std())
    assert np.corrcoef(motion.expression[:, 8], own)[0, 1] > 0.9


def test_nods_follow_the_stresses_and_stay_small(reference, tmp_path):
    import wave

    rate, seconds = 16_000, 60
    times = np.arange(rate * seconds) / rate
    beats = np.maximum(np.sin(2 * np.pi * 1.3 * times), 0) ** 4
    sound = 0.5 * np.sin(2 * np.pi * 180 * times) * beats * (times % 10 < 7)
    with wave.open(str(tmp_path / "beats.wav"), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes((sound * 32767).astype("<i2").tobytes())
    level = loudness(tmp_path / "beats.wav", FPS, MINUTE)
    idle = places(reference, GraphWalk(reference, 0))
    nodding = places(reference, Nods(GraphWalk(reference, 0), reference, level))
    added = nodding - idle
    assert np.abs(added[:, 1:]).max() < 1e-6
    # Chin down with the stress, a little before it.
    assert np.corrcoef(added[:-2, 0], level[2:])[0, 1] > 0.5
    assert np.corrcoef(added[:-2, 0], level[2:])[0, 1] > np.corrcoef(added[2:, 0], level[:-2])[0, 1]
    truth = places(reference, Replay(reference), 2 * MINUTE)
    assert speed(nodding) / speed(truth) == pytest.approx(1, abs=0.2)
    assert np.abs(nodding.std(0) / truth.std(0) - 1).max() < 0.2


def test_silence_adds_no_nod(reference, tmp_path):
    level = loudness(write_tone(tmp_path / "a.wav", 0.1), FPS, 200)
    still = Nods(GraphWalk(reference, 0), reference, 0 * level).frames(0, 200)
    idle = GraphWalk(reference, 0).frames(0, 200)
    assert torch.allclose(still.camera_to_head, idle.camera_to_head, atol=1e-6)
