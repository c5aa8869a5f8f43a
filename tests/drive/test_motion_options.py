"""What the motion options of render do, on a small avatar."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.drive.motion.chart import PoseChart
from nerf_talker.drive.motion.choices import MotionChoices, chosen_source
from nerf_talker.drive.motion.driving_file import FileSource, write_driving
from nerf_talker.drive.motion.mouth import LOWER, UPPER, LipOpening
from nerf_talker.drive.motion.pose_files import read_poses
from nerf_talker.drive.speech import speech_source
from nerf_talker.errors import InputError
from nerf_talker.train.avatar import load_avatar

from .moving import clip, same, whole
from .test_drive import write_tone
from .test_speech_features import pictures


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    """The small avatar with motion to speak of, and inner lips that part."""
    made = load_avatar(ellipse_run)
    mouth = made.talker.mouth
    opening = np.abs(np.sin(np.arange(80) * 0.4))[:, None, None]
    points = np.repeat(mouth.mean.reshape(1, -1, 3).numpy(), 80, 0)
    points += np.random.default_rng(0).normal(0, 1e-4, points.shape)
    points[:, UPPER : UPPER + 1, 1:2] -= 0.002 * opening
    points[:, LOWER : LOWER + 1, 1:2] += 0.001 + 0.01 * opening
    mouth.fit(points, np.ones(80, bool))
    return replace(made, poses=clip(300))


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return write_tone(tmp_path_factory.mktemp("speech") / "a.wav", 4.0)


def chosen(avatar, speech, **choices):
    base = speech_source(avatar, speech)
    return chosen_source(avatar, base, MotionChoices(**choices), speech)


def test_nothing_chosen_is_the_source_itself(avatar, speech):
    base = speech_source(avatar, speech)
    assert chosen_source(avatar, base, MotionChoices(), speech) is base


@pytest.mark.parametrize("pose", ["idle", "generate", "fixed"])
@pytest.mark.parametrize("eyes", ["source", "idle", "fixed"])
def test_head_and_eyes_change_and_the_mouth_does_not(avatar, speech, pose, eyes):
    base, moved = (
        whole(s) for s in (chosen(avatar, speech), chosen(avatar, speech, pose=pose, eyes=eyes))
    )
    assert torch.equal(base.audio, moved.audio) and torch.equal(base.landmarks, moved.landmarks)
    assert not torch.equal(base.camera_to_head, moved.camera_to_head)
    assert same(moved, whole(chosen(avatar, speech, pose=pose, eyes=eyes), 13))


def test_eyes_alone_leave_the_poses(avatar, speech):
    base, moved = (whole(chosen(avatar, speech, eyes=eyes)) for eyes in ("source", "idle"))
    assert torch.equal(base.camera_to_head, moved.camera_to_head)
    assert not torch.equal(base.expression, moved.expression)


def coordinates(avatar, driving):
    return PoseChart(avatar.poses.camera_to_head).coordinates(driving.camera_to_head)


def test_amplitudes_scale_about_the_mean(avatar, speech):
    base = whole(chosen(avatar, speech))
    half = whole(chosen(avatar, speech, head_motion=0.5, brows=2.0))
    mean = coordinates(avatar, avatar.poses).mean(0)
    expected = mean + 0.5 * (coordinates(avatar, base) - mean)
    np.testing.assert_allclose(coordinates(avatar, half), expected, atol=1e-5)
    torso = avatar.poses.torso_motion.mean(0)
    torch.testing.assert_close(half.torso_motion - torso, 0.5 * (base.torso_motion - torso))
    usual = avatar.poses.expression[:, :5].mean(0)
    torch.testing.assert_close(
        half.expression[:, :5], (2 * base.expression[:, :5] - usual).clamp(0, 1)
    )
    assert torch.equal(half.expression[:, 5:], base.expression[:, 5:])


def gap(avatar, driving):
    lips = LipOpening(avatar.talker)
    return lips.opening(lips.landmarks(driving)) - lips.closed


def test_lips_open_by_the_factor_and_within_their_range(avatar, speech):
    base = gap(avatar, whole(chosen(avatar, speech)))
    lips = LipOpening(avatar.talker)
    for factor in (0.0, 0.5, 1.2, 5.0):
        wanted = (factor * base.clamp_min(0)).clamp_max(lips.widest - lips.closed)
        wanted = torch.where(base > 0, wanted, base)
        now = gap(avatar, whole(chosen(avatar, speech, lip_opening=factor)))
        torch.testing.assert_close(now, wanted, atol=1e-5, rtol=1e-4)


def write_edits(tmp_path, *tracks):
    path = tmp_path / "edits.json"
    path.write_text(json.dumps({"version": 1, "tracks": list(tracks)}))
    return path


def test_edits_pin_and_leave_the_rest(avatar, speech, tmp_path):
    edits = write_edits(
        tmp_path,
        {"channel": "head.yaw", "keys": [[1.0, 5.0], [2.0, -5.0]], "ease": 0.2},
        {"channel": "eyeBlinkLeft", "keys": [[3.0, 0.25]], "add": True},
    )
    base, edited = (whole(chosen(avatar, speech, edit=e)) for e in (None, edits))
    from scipy.spatial.transform import Rotation

    turn = edited.camera_to_head[:, :3, :3].transpose(1, 2).double().numpy()
    yaw = Rotation.from_matrix(turn).as_euler("YXZ", degrees=True)[:, 0]
    assert yaw[[25, 50]] == pytest.approx([5, -5], abs=1e-3)
    assert yaw[37] == pytest.approx(0.15, abs=0.2)
    free = torch.ones(100, dtype=torch.bool)
    free[20:56] = False
    assert torch.equal(base.camera_to_head[free], edited.camera_to_head[free])
    assert torch.equal(base.audio, edited.audio)
    added = edited.expression - base.expression
    assert float(added[75, 5]) == pytest.approx(0.25)
    assert set(added.nonzero()[:, 1].tolist()) == {5}


def test_a_key_between_frames_is_seen(avatar, speech, tmp_path):
    track = {"channel": "browInnerUp", "keys": [[1.02, 0.9]], "ease": 0.0}
    edited = whole(chosen(avatar, speech, edit=write_edits(tmp_path, track)))
    changed = edited.expression[:, 2] - whole(chosen(avatar, speech)).expression[:, 2]
    assert changed.nonzero().flatten().tolist() == [25, 26]


def test_an_edited_mouth_is_as_open_as_it_says(avatar, speech, tmp_path):
    edits = write_edits(tmp_path, {"channel": "lips.opening", "keys": [[1.0, 0.5], [2.0, 0.5]]})
    edited = gap(avatar, whole(chosen(avatar, speech, edit=edits)))
    lips = LipOpening(avatar.talker)
    half = (lips.widest - lips.closed) / 2
    assert edited[25:50].numpy() == pytest.approx(half, rel=1e-3)
    base = gap(avatar, whole(chosen(avatar, speech)))
    torch.testing.assert_close(edited[60:], base[60:])
    points = lips.landmarks(
        avatar.poses.select([0]).__class__(**vars(whole(chosen(avatar, speech))))
    )
    pinned = write_edits(
        tmp_path, {"channel": "mouth.landmarks", "keys": [[1.0, points[3].tolist()]]}
    )
    moved = whole(chosen(avatar, speech, edit=pinned))
    torch.testing.assert_close(moved.landmarks[25], points[3])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[", "not a JSON file"),
        ('{"tracks": [{"channel": "eyeBlinkLeft"}]}', "tracks.0.keys"),
        ('{"tracks": [{"channel": "eyeBlink", "keys": [[0, 1]]}]}', "did you mean 'eyeBlinkLeft'"),
        (
            '{"tracks": [{"channel": "head.yaw", "keys": [[0, [1, 2]]]}]}',
            "has 2 values; 1 are wanted",
        ),
        ('{"tracks": [{"channel": "head.yaw", "keys": [[0, 1], [0, 2]]}]}', "at the same time"),
        ('{"version": 2, "tracks": []}', "version"),
    ],
)
def test_bad_edits_are_refused_in_one_sentence(
    ellipse_run, speech, tmp_path, capsys, content, sentence
):
    (tmp_path / "edits.json").write_text(content)
    out = tmp_path / "out.mp4"
    command = ["render", str(ellipse_run), "--audio", str(speech), "-o", str(out)]
    assert main([*command, "--edit", str(tmp_path / "edits.json")]) == 1
    error = capsys.readouterr().err
    assert sentence in error and len(error.strip().splitlines()) == 1
    assert not out.exists()


def test_a_driving_file_makes_the_same_video(ellipse_run, speech, tmp_path):
    edits = write_edits(tmp_path, {"channel": "lips.opening", "keys": [[0.5, 0.8]]})
    driving, sound = tmp_path / "moves.npz", write_tone(tmp_path / "b.wav", 0.9)
    first, second = tmp_path / "one.mp4", tmp_path / "two.mp4"
    command = ["render", str(ellipse_run), "--audio", str(sound), "-o"]
    chosen = ["--pose", "idle", "--eyes", "idle", "--edit", str(edits)]
    assert main([*command, str(first), *chosen, "--dump-driving", str(driving)]) == 0
    assert main([*command, str(second), "--driving", str(driving)]) == 0
    np.testing.assert_array_equal(pictures(first), pictures(second))
    assert {"header", "landmarks", "expression"} <= set(np.load(driving).files)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_driving_file_holds_every_bit(avatar, speech, tmp_path):
    source = chosen(avatar, speech, pose="idle", eyes="idle")
    write_driving(tmp_path / "a.npz", source)
    read = FileSource(tmp_path / "a.npz", avatar.metadata)
    assert same(whole(read, 31), whole(source))
    kept = chosen_source(avatar, read, MotionChoices(eyes="fixed"), speech, from_file=True)
    assert torch.equal(whole(kept).camera_to_head, whole(source).camera_to_head)


def damaged(tmp_path, source):
    write_driving(tmp_path / "good.npz", source)
    content = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    (tmp_path / "flipped.npz").write_bytes(flipped)
    arrays = dict(np.load(tmp_path / "good.npz"))
    np.savez(tmp_path / "lacks.npz", **{k: v for k, v in arrays.items() if k != "expression"})
    np.savez(tmp_path / "short.npz", **{**arrays, "expression": arrays["expression"][:3]})
    np.savez(tmp_path / "other.npz", **{**arrays, "audio": arrays["audio"][..., :13]})
    header = json.loads(str(arrays["header"]))
    newer = np.array(json.dumps({**header, "format": 99}))
    np.savez(tmp_path / "newer.npz", **{**arrays, "header": newer})
    text = np.array(json.dumps({**header, "frames": "many"}))
    np.savez(tmp_path / "header.npz", **{**arrays, "header": text})
    np.savez(tmp_path / "words.npz", **{**arrays, "expression": np.full(100, "a")})
    for name, wrong in (("still", {"fps": 0}), ("nan", {"fps": np.nan}), ("none", {"frames": -1})):
        text = np.array(json.dumps({**header, **wrong}))
        np.savez(tmp_path / f"{name}.npz", **{**arrays, "header": text})
    names = ("text", "cut", "flipped", "lacks", "short", "other", "newer", "header", "words")
    names += ("still", "nan", "none")
    return (*names, "missing")


def test_damaged_driving_files_are_refused(avatar, speech, tmp_path):
    for name in damaged(tmp_path, chosen(avatar, speech)):
        with pytest.raises(InputError, match=f"{name}.npz: ") as caught:
            FileSource(tmp_path / f"{name}.npz", avatar.metadata)
        assert "\n" not in str(caught.value)
    arrays = dict(np.load(tmp_path / "good.npz"))
    arrays["expression"][4, 2] = np.nan
    np.savez_compressed(tmp_path / "nan.npz", **arrays)
    with pytest.raises(InputError, match="expression near frame 0 is not a finite number"):
        FileSource(tmp_path / "nan.npz", avatar.metadata).chunk(0, 10)
    arrays = dict(np.load(tmp_path / "good.npz"))
    np.savez(tmp_path / "who.npz", **{**arrays, "appearance": np.full(100, 10_000)})
    with pytest.raises(InputError, match="appearance near frame 0 is none of the avatar's"):
        FileSource(tmp_path / "who.npz", avatar.metadata).chunk(0, 10)


def test_pose_files_of_all_forms_say_the_same(avatar, speech, tmp_path):
    from nerf_talker.geometry.rotation import inverse_rigid, logarithm

    poses = avatar.poses.camera_to_head[:60].numpy()
    head = inverse_rigid(poses.astype(float))
    turn, shift = np.degrees(logarithm(head[:, :3, :3])), head[:, :3, 3]
    np.save(tmp_path / "a.npy", poses)
    np.savez(tmp_path / "b.npz", camera_to_head=poses)
    np.savez(tmp_path / "c.npz", rotation=turn, translation=shift)
    rows = [
        "rx,ry,rz,x,y,z",
        *(",".join(map(repr, map(float, r))) for r in np.hstack([turn, shift])),
    ]
    (tmp_path / "d.csv").write_text("\n".join(rows))
    for name in ("a.npy", "b.npz", "c.npz", "d.csv"):
        torch.testing.assert_close(read_poses(tmp_path / name).numpy(), poses, atol=1e-5, rtol=0)
        moved = whole(chosen(avatar, speech, pose=str(tmp_path / name)))
        assert len(moved) == 100
        torch.testing.assert_close(moved.camera_to_head[:60].numpy(), poses, atol=1e-5, rtol=0)


def test_bad_pose_files_are_refused(ellipse_run, speech, tmp_path, capsys):
    np.save(tmp_path / "shape.npy", np.zeros((5, 3)))
    np.save(tmp_path / "empty.npy", np.zeros((0, 4, 4)))
    np.save(tmp_path / "zero.npy", np.zeros((5, 4, 4)))
    np.save(tmp_path / "nan.npy", np.full((5, 4, 4), np.nan))
    np.save(tmp_path / "objects.npy", np.asarray([{}], object), allow_pickle=True)
    np.savez(tmp_path / "keys.npz", rotation=np.zeros((5, 3)))
    np.savez(tmp_path / "pair.npz", rotation=np.zeros((5, 3)), translation=np.zeros((4, 3)))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "columns.csv").write_text("a,b\n1,2\n")
    (tmp_path / "words.csv").write_text("rx,ry,rz,x,y,z\n1,2,3,4,5,six\n")
    (tmp_path / "poses.txt").write_text("")
    out = tmp_path / "out.mp4"
    command = ["render", str(ellipse_run), "--audio", str(speech), "-o", str(out), "--pose"]
    for path in [*sorted(tmp_path.iterdir()), tmp_path / "missing.npy"]:
        assert main([*command, str(path)]) == 1
        error = capsys.readouterr().err
        assert path.name in error and len(error.strip().splitlines()) == 1, error
        assert not out.exists()


def test_a_fixed_pose_holds_the_head_still_in_the_picture(ellipse_run, tmp_path):
    sound = write_tone(tmp_path / "a.wav", 0.6)
    out = tmp_path / "out.mp4"
    still = ["--pose", "fixed", "--eyes", "fixed", "--lip-opening", "0"]
    assert main(["render", str(ellipse_run), "--audio", str(sound), "-o", str(out), *still]) == 0
    seen = pictures(out).astype(float)
    background = np.abs(seen - seen[0, 2, 2]).sum(-1) > 60
    rows, columns = np.mgrid[: seen.shape[1], : seen.shape[2]]
    centres = [[(m * rows).sum() / m.sum(), (m * columns).sum() / m.sum()] for m in background]
    assert np.std(centres, 0).max() < 0.2
