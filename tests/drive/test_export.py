"""Driven motion for other programs says what the avatar does, and can be read again."""

import csv
import json

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.drive.export.blendshapes import NAMES, blendshapes, origins
from nerf_talker.drive.export.mesh import VERTICES, face_landmarks, triangles
from nerf_talker.drive.motion.driving_file import FileSource
from nerf_talker.drive.motion.pose_files import read_poses
from nerf_talker.errors import AvatarError
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.train.avatar import load_avatar, save_avatar
from nerf_talker.train.driving import dataset_driving

from .moving import whole
from .test_drive import write_tone


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return load_avatar(ellipse_run)


@pytest.fixture(scope="module")
def exported(ellipse_run, tmp_path_factory):
    """A folder with all that can be exported, and the driving that it was made of."""
    folder = tmp_path_factory.mktemp("export")
    sound = write_tone(folder / "a.wav", 0.4)
    given = ["--audio", str(sound), "--eyes", "idle", "--dump-driving", str(folder / "moves.npz")]
    for table, mesh in (("csv", "obj"), ("json", "ply")):
        out = ["-o", str(folder / table), "--table", table, "--mesh", mesh, "--landmarks"]
        assert main(["export", str(ellipse_run), *given, *out]) == 0
    return folder


def test_there_are_52_different_names():
    assert len(NAMES) == len(set(NAMES)) == 52


def test_the_table_holds_what_was_driven(avatar, exported):
    driving = whole(FileSource(exported / "moves.npz", avatar.metadata))
    expected = blendshapes(avatar, driving).numpy()
    with (exported / "csv" / "blendshapes.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    read = np.asarray([[float(row[name]) for name in NAMES] for row in rows])
    np.testing.assert_allclose(read, expected, atol=1e-4)
    assert [float(row["time"]) for row in rows] == pytest.approx(np.arange(len(rows)) / 25)
    content = json.loads((exported / "json" / "blendshapes.json").read_text())
    again = np.asarray([frame["values"] for frame in content["frames"]])
    np.testing.assert_allclose(again[:, :52], expected, atol=1e-4)
    assert content["names"][:52] == list(NAMES)
    poses = read_poses(exported / "csv" / "blendshapes.csv")
    torch.testing.assert_close(poses, driving.camera_to_head, atol=1e-4, rtol=0)


def test_driven_channels_are_exact_and_the_mouth_is_fitted(ellipse, avatar):
    frames = list(ellipse.manifest.range("train"))
    driving = dataset_driving(ellipse, frames, "landmarks")
    made, truth = blendshapes(avatar, driving).numpy(), ellipse.track.blendshapes[frames]
    for name in ("browInnerUp", "eyeBlinkLeft", "eyeBlinkRight"):
        column = NAMES.index(name)
        np.testing.assert_allclose(made[:, column], truth[:, column + 1], atol=1e-6)
    said = origins(avatar)
    assert said["jawOpen"] == "fitted" and said["tongueOut"] == "absent"
    assert said["eyeBlinkLeft"] == said["eyeLookUpLeft"] == "driven"


def test_landmarks_are_those_of_the_clip(ellipse, avatar):
    frames = list(ellipse.manifest.range("train"))
    made = face_landmarks(avatar, dataset_driving(ellipse, frames, "landmarks"))
    truth = ellipse.track.canonical_landmarks[frames]
    np.testing.assert_allclose(made[:, list(MOUTH_POINTS)], truth[:, list(MOUTH_POINTS)], atol=1e-6)
    np.testing.assert_allclose(made, truth, atol=2e-3)


def test_meshes_have_one_topology_and_the_landmarks_places(exported):
    points = np.load(exported / "csv" / "landmarks.npy")
    assert points.shape == (10, 478, 3)
    files = sorted((exported / "csv" / "mesh").glob("*.obj"))
    assert [file.name for file in files] == [f"{k:06d}.obj" for k in range(10)]
    for file, face in zip(files, points, strict=True):
        lines = [line.split() for line in file.read_text().splitlines()]
        vertices = np.asarray([line[1:] for line in lines if line[0] == "v"], float)
        corners = np.asarray([line[1:] for line in lines if line[0] == "f"], int)
        np.testing.assert_allclose(vertices, face[:VERTICES] * (1, -1, -1), atol=1e-5)
        np.testing.assert_array_equal(corners - 1, triangles())
    binary = (exported / "json" / "mesh" / "000003.ply").read_bytes()
    header, body = binary.split(b"end_header\n", 1)
    assert f"element vertex {VERTICES}".encode() in header
    vertices = np.frombuffer(body[: 12 * VERTICES], "<f4").reshape(-1, 3)
    np.testing.assert_array_equal(vertices, points[3, :VERTICES] * np.float32([1, -1, -1]))
    faces = np.frombuffer(body[12 * VERTICES :], [("n", "u1"), ("v", "<i4", 3)])
    assert (faces["n"] == 3).all()
    np.testing.assert_array_equal(faces["v"], triangles())


def test_mouth_and_eyes_are_open_and_every_vertex_is_used():
    used = triangles()
    assert used.min() == 0 and used.max() == VERTICES - 1
    assert len(np.unique(used)) == VERTICES
    edges = np.sort(np.concatenate([used[:, [0, 1]], used[:, [1, 2]], used[:, [2, 0]]]), 1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2, "an edge between more than two triangles"


def test_an_older_avatar_gives_blendshapes_and_no_mesh(avatar, tmp_path, capsys):
    save_avatar(tmp_path / "old.safetensors", avatar.talker, avatar.poses, avatar.metadata)
    old = load_avatar(tmp_path / "old.safetensors")
    assert old.face is None
    said = origins(old)
    assert said["jawOpen"] == "geometry" and said["mouthPucker"] == "absent"
    sound = write_tone(tmp_path / "a.wav", 0.3)
    command = ["export", str(tmp_path / "old.safetensors"), "--audio", str(sound), "-o"]
    assert main([*command, str(tmp_path / "plain")]) == 0
    about = json.loads((tmp_path / "plain" / "about.json").read_text())
    assert about["blendshapes"]["jawOpen"] == "geometry" and about["frames"] == 8
    capsys.readouterr()
    assert main([*command, str(tmp_path / "meshes"), "--mesh", "obj"]) == 1
    assert "holds no face mesh" in capsys.readouterr().err
    assert not (tmp_path / "meshes").exists() and not list(tmp_path.glob(".*"))
    with pytest.raises(AvatarError):
        face_landmarks(old, avatar.poses)


def test_a_folder_with_other_files_is_left_alone(ellipse_run, tmp_path, capsys):
    sound = write_tone(tmp_path / "a.wav", 0.3)
    command = ["export", str(ellipse_run), "--audio", str(sound), "-o", str(tmp_path)]
    assert main(command) == 1
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
