"""A motion of one frame rate and a driving file of another go together at the right speed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.cli.render_motion import MotionArguments
from nerf_talker.drive.motion.chart import PoseChart
from nerf_talker.drive.motion.driving_file import FileSource, write_driving
from nerf_talker.drive.resampling import at_rate, poses_at_rate
from nerf_talker.drive.speech import speech_source
from nerf_talker.train.avatar import load_avatar

from .moving import FPS, clip, same, whole
from .test_drive import write_tone

SECONDS = 20.0


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return replace(load_avatar(ellipse_run), poses=clip(700))


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return write_tone(tmp_path_factory.mktemp("speech") / "a.wav", SECONDS)


@pytest.fixture(scope="module")
def files(avatar, speech, tmp_path_factory):
    """Driving files of the same speech by their rate."""
    folder = tmp_path_factory.mktemp("driving")
    for fps in (FPS, 50.0, 10.0):
        write_driving(folder / f"{fps:g}.npz", speech_source(avatar, speech, fps=fps))
    return folder


def chosen(avatar, speech, file, **options):
    motion = MotionArguments(driving=file, **options)
    source = motion.source(avatar, lambda: None, speech, True)
    return whole(source)


def travelled(avatar, driving):
    """Root mean square speed of the head's place and turn, per second, over steps of 0.2 s."""
    step = round(0.2 * driving.fps)
    places = PoseChart(avatar.poses.camera_to_head).coordinates(driving.camera_to_head)
    return np.sqrt((((places[step:] - places[:-step]) / 0.2) ** 2).mean(0))


def test_a_file_alone_is_as_it_was_written_at_any_rate(avatar, speech, files):
    for fps in (FPS, 50.0, 10.0):
        file = files / f"{fps:g}.npz"
        made = chosen(avatar, speech, file)
        assert made.fps == fps and len(made) == SECONDS * fps
        assert same(made, whole(FileSource(file, avatar.metadata)))


def test_speech_at_another_rate_moves_the_head_no_faster(avatar, files):
    own, double = (whole(FileSource(files / f"{fps}.npz", avatar.metadata)) for fps in (25, 50))
    torch.testing.assert_close(double.camera_to_head[::2], own.camera_to_head, atol=1e-5, rtol=0)
    torch.testing.assert_close(double.expression[::2], own.expression, atol=1e-5, rtol=0)
    torch.testing.assert_close(double.landmarks[::2], own.landmarks, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pose", ["idle", "generate"])
def test_other_motion_over_a_file_keeps_its_speed(avatar, speech, files, pose):
    speeds = {}
    for fps in (FPS, 50.0, 10.0):
        file = files / f"{fps:g}.npz"
        made = chosen(avatar, speech, file, pose=pose)
        assert made.fps == fps
        written = whole(FileSource(file, avatar.metadata))
        assert torch.equal(made.landmarks, written.landmarks)
        assert torch.equal(made.expression, written.expression), "the file brings its eyes along"
        speeds[fps] = travelled(avatar, made)
    for fps in (50.0, 10.0):
        assert (speeds[fps] < 1.5 * speeds[FPS]).all() and (speeds[fps] > speeds[FPS] / 1.5).all()


def test_poses_of_a_file_are_at_the_avatars_rate(avatar, speech, files, tmp_path):
    np.save(tmp_path / "a.npy", avatar.poses.camera_to_head[:60].numpy())
    own, double = (
        chosen(avatar, speech, files / f"{fps}.npz", pose=str(tmp_path / "a.npy"))
        for fps in (25, 50)
    )
    torch.testing.assert_close(double.camera_to_head[::2], own.camera_to_head, atol=1e-5, rtol=0)


@pytest.mark.parametrize("fps", [10.0, 24.0, 30000 / 1001, 50.0, 60.0])
def test_motion_keeps_its_time_and_its_heads_stay_rigid(fps):
    poses = clip(100)
    made = at_rate(poses, fps)
    assert made.fps == fps and abs(len(made) / fps - 4) <= max(1 / fps, 1 / FPS)
    chart = PoseChart(poses.camera_to_head)
    wanted, found = (chart.coordinates(p.camera_to_head) for p in (poses, made))
    times = np.arange(len(made)) / fps * FPS
    for channel in range(6):
        straight = np.interp(times, np.arange(100), wanted[:, channel])
        np.testing.assert_allclose(found[:, channel], straight, atol=2e-4)
    turn = made.camera_to_head[:, :3, :3]
    identity = torch.eye(3).expand_as(turn)
    torch.testing.assert_close(turn @ turn.transpose(1, 2), identity, atol=1e-5, rtol=0)
    alone = poses_at_rate(poses.camera_to_head, FPS, fps)
    torch.testing.assert_close(alone, made.camera_to_head, atol=1e-5, rtol=0)
    assert at_rate(poses, FPS) is poses
