"""Another clip drives the avatar relative to its own neutral; a clip drives itself as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.cli.render_motion import MotionArguments, clip_track
from nerf_talker.drive.motion.chart import PoseChart
from nerf_talker.drive.motion.choices import DriveClip, MotionChoices, chosen_source
from nerf_talker.drive.motion.reenact import reenacted
from nerf_talker.errors import InputError
from nerf_talker.field.expression import upper_face
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.rotation import exponential, rigid
from nerf_talker.train.avatar import load_avatar
from nerf_talker.types import FrameTrack

from .moving import Silent, clip, whole
from .test_drive import write_tone
from .test_speech_features import pictures

FRAMES = 300


@pytest.fixture(scope="module")
def track(ellipse):
    """A clip's track with motion, and expression that blinks."""
    moving = clip(FRAMES)
    random = np.random.default_rng(2)
    shapes = np.zeros((FRAMES, 52), np.float32)
    shapes[:, [1, 2, 3, 4, 5, 9, 10]] = moving.expression[:, :7].numpy()
    shapes[:, 11:13] = 0.2 * random.random((FRAMES, 1))
    points = np.repeat(ellipse.track.canonical_landmarks[:1], FRAMES, 0)
    points = points + 0.002 * random.standard_normal((FRAMES, 1, 3)).astype(np.float32)
    return FrameTrack(
        ellipse.track.camera, moving.camera_to_head.numpy(), np.zeros((FRAMES, 478, 3), np.float32),
        points.astype(np.float32), shapes, np.ones(FRAMES, bool), 25.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def avatar(ellipse_run, track):
    """The small avatar as if it had been trained on that clip."""
    made = load_avatar(ellipse_run)
    made.talker.expression.fit(track.blendshapes, track.valid)
    made.talker.mouth.fit(track.canonical_landmarks[:, list(MOUTH_POINTS)], track.valid)
    poses = replace(
        clip(FRAMES),
        expression=torch.from_numpy(upper_face(track.blendshapes)),
        camera_to_head=torch.from_numpy(track.camera_to_head),
    )
    return replace(made, poses=poses)


def degrees_apart(first, second):
    turn = first[:, :3, :3] @ second[:, :3, :3].transpose(1, 2)
    cosine = (turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return torch.rad2deg(torch.arccos(cosine.double().clamp(-1, 1)))


def test_a_clip_drives_itself_as_it_was(avatar, track):
    driven = reenacted(track, avatar.poses, avatar.talker)
    assert float(degrees_apart(driven.camera_to_head, avatar.poses.camera_to_head).max()) < 0.1
    torch.testing.assert_close(
        driven.camera_to_head, avatar.poses.camera_to_head, atol=1e-4, rtol=0
    )
    mouth = torch.from_numpy(track.canonical_landmarks[:, list(MOUTH_POINTS)])
    torch.testing.assert_close(driven.landmarks, mouth, atol=1e-5, rtol=0)
    torch.testing.assert_close(driven.expression, avatar.poses.expression, atol=1e-5, rtol=0)


def test_what_is_copied_is_relative_to_the_other_clips_neutral(avatar, track):
    turned = rigid(exponential(np.repeat([[0.1, 0.3, 0.0]], FRAMES, 0)), np.zeros((FRAMES, 3)))
    poses = turned.astype(np.float32) @ track.camera_to_head
    wider = 1.5 * track.canonical_landmarks
    other = replace(
        track, camera_to_head=poses, canonical_landmarks=wider, blendshapes=0.5 * track.blendshapes
    )
    driven = reenacted(other, avatar.poses, avatar.talker)
    chart = PoseChart(avatar.poses.camera_to_head)
    turns = chart.coordinates(driven.camera_to_head)[:, :3]
    truth = chart.coordinates(avatar.poses.camera_to_head)[:, :3]
    assert np.abs(turns - truth).max() < np.radians(2)
    mouth = torch.from_numpy(track.canonical_landmarks[:, list(MOUTH_POINTS)])
    torch.testing.assert_close(driven.landmarks, mouth, atol=1e-4, rtol=0)
    # Half the score is as shut an eye in a person whose lids go half as far.
    own = reenacted(track, avatar.poses, avatar.talker)
    torch.testing.assert_close(driven.expression[:, 5:7], own.expression[:, 5:7], atol=0.02, rtol=0)


@pytest.mark.parametrize("fps", [12.5, 50.0])
def test_other_rates_keep_their_time(avatar, track, fps):
    rows = np.arange(0, FRAMES, 2) if fps < 25 else np.repeat(np.arange(FRAMES), 2)
    other = FrameTrack(
        track.camera, track.camera_to_head[rows], track.landmarks[rows],
        track.canonical_landmarks[rows], track.blendshapes[rows], track.valid[rows], fps,
    )  # fmt: skip
    driven = reenacted(other, avatar.poses, avatar.talker)
    assert len(driven) == FRAMES
    assert float(degrees_apart(driven.camera_to_head, avatar.poses.camera_to_head).max()) < 2


def test_sources_of_pose_eyes_and_mouth_are_chosen_apart(avatar, track, tmp_path):
    driven = reenacted(track, avatar.poses, avatar.talker)
    base = Silent(avatar.poses, 100)
    sound = write_tone(tmp_path / "a.wav", 4.0)

    def made(with_mouth, **choices):
        drive = DriveClip(driven, with_mouth)
        return whole(chosen_source(avatar, base, MotionChoices(**choices), sound, drive))

    copied = made(False)
    assert copied.landmarks is None
    assert torch.equal(copied.camera_to_head, driven.camera_to_head[:100])
    assert torch.equal(copied.expression, driven.expression[:100])
    mouth = made(True, pose="fixed", eyes="idle")
    assert mouth.audio is None and torch.equal(mouth.landmarks, driven.landmarks[:100])
    assert bool((mouth.camera_to_head == mouth.camera_to_head[0]).all())


def test_a_clip_without_a_face_is_refused(avatar, track):
    nobody = replace(track, valid=np.zeros(FRAMES, bool))
    with pytest.raises(InputError, match="shows no face in any frame"):
        reenacted(nobody, avatar.poses, avatar.talker)


def test_a_dataset_folder_drives_without_its_videos(ellipse, ellipse_run, tmp_path):
    sound, out = write_tone(tmp_path / "a.wav", 0.3), tmp_path / "out.mp4"
    command = ["render", str(ellipse_run), "--audio", str(sound), "-o", str(out)]
    assert main([*command, "--drive-video", str(ellipse.root), "--mouth", "video"]) == 0
    assert len(pictures(out)) == 8
    read = clip_track(ellipse.root, 25, sound, True)
    np.testing.assert_array_equal(read.camera_to_head, ellipse.track.camera_to_head)


def test_a_drive_video_that_cannot_be_used_is_refused(ellipse_run, tmp_path, capsys):
    sound = write_tone(tmp_path / "a.wav", 0.3)
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "folder").mkdir()
    for name in ("text.mp4", "folder", "missing.mp4"):
        out = tmp_path / "out.mp4"
        command = ["render", str(ellipse_run), "--audio", str(sound), "-o", str(out)]
        assert main([*command, "--drive-video", str(tmp_path / name)]) == 1
        error = capsys.readouterr().err
        assert name in error and len(error.strip().splitlines()) == 1
        assert not out.exists()


def test_a_picture_of_nobody_is_refused(ellipse_run, tmp_path, capsys):
    from nerf_talker.weights import locate
    from tests.builders import write_video

    if locate("face_landmarker.task", None) is None:
        pytest.skip("the face model is not on this machine")
    sound, clip = write_tone(tmp_path / "a.wav", 0.3), tmp_path / "wall.mp4"
    wall = np.full((60, 128, 128, 3), 120, np.uint8)
    write_video(clip, wall, "libx264", "yuv420p", "rgb24")
    command = ["render", str(ellipse_run), "--audio", str(sound), "-o", str(tmp_path / "out.mp4")]
    assert main([*command, "--drive-video", str(clip)]) == 1
    error = capsys.readouterr().err
    assert "no face" in error and len(error.strip().splitlines()) == 1


def test_a_copied_mouth_keeps_its_pace_at_any_rate(avatar, ellipse_folder):
    said = {}
    for fps in (25.0, 50.0):
        motion = MotionArguments(drive_video=ellipse_folder, mouth="video", eyes="source")
        silent = Silent(replace(avatar.poses, fps=fps), round(2 * fps))
        made = motion.source(avatar, lambda silent=silent: silent, ellipse_folder, True)
        said[fps] = whole(made).landmarks
    torch.testing.assert_close(said[50.0][::2], said[25.0], atol=1e-4, rtol=0)
    assert not torch.allclose(said[50.0][: len(said[25.0])], said[25.0], atol=1e-3)
