import numpy as np
import pytest

from nerf_talker.data.labels import Label, is_head
from nerf_talker.data.sample_face import FacePose
from nerf_talker.data.sample_motion import FPS, perform
from nerf_talker.data.sample_speech import LABIALS
from nerf_talker.data.synthetic import blendshapes, render_sample, truth_arrays, write_sample
from nerf_talker.errors import InputError
from nerf_talker.geometry.mesh import lip_gap

SIZE = 96


@pytest.fixture(scope="module")
def sample():
    return render_sample(seconds=2.0, size=SIZE, seed=3, frames=list(range(0, 50, 4)))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    return write_sample(folder, seconds=1.2, size=64, seed=5)


@pytest.fixture(scope="module")
def truth(written):
    with np.load(written.truth) as stored:
        return dict(stored)


def project(points, camera_to_head, focal, size):
    head_to_camera = np.linalg.inv(camera_to_head)
    placed = points @ head_to_camera[:3, :3].T + head_to_camera[:3, 3]
    return focal * placed[:, :2] / placed[:, 2:] + size / 2


def test_truth_has_the_promised_arrays(truth):
    frames = 30
    shapes = {
        "fps": (),
        "focal": (),
        "landmarks": (frames, 478, 3),
        "blendshapes": (frames, 52),
        "camera_to_head": (frames, 4, 4),
        "labels": (frames, 64, 64),
        "head_alpha": (frames, 64, 64),
        "background": (64, 64, 3),
        "jaw": (frames,),
        "lip_gap": (frames,),
        "blink": (frames,),
    }
    assert {name: truth[name].shape for name in shapes} == shapes
    assert truth["landmarks"].dtype == np.float32
    assert truth["labels"].dtype == truth["head_alpha"].dtype == np.uint8
    assert truth["blendshapes"].min() >= 0 and truth["blendshapes"].max() <= 1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_clip(written, tmp_path):
    again = write_sample(tmp_path / "again", seconds=1.2, size=64, seed=5)
    assert again.truth.read_bytes() == written.truth.read_bytes()
    assert again.clip.read_bytes() == written.clip.read_bytes()
    one, other = perform(1.2, 5), perform(1.2, 6)
    assert one.speech.names != other.speech.names
    assert not np.allclose(one.head_to_camera, other.head_to_camera)


def test_nothing_but_the_two_files_is_left(written):
    assert sorted(p.name for p in written.clip.parent.iterdir()) == [
        "sample.mp4",
        "sample_truth.npz",
    ]


def test_nothing_is_left_after_a_failure(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("nerf_talker.data.synthetic.truth_arrays", fail)
    with pytest.raises(OSError, match="disk full"):
        write_sample(tmp_path, seconds=0.6, size=32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("seconds", "size"), [(1, 33), (1, 8), (0, 64), (-2, 64), (1e9, 64)])
def test_impossible_requests_are_refused_in_one_sentence(tmp_path, seconds, size):
    with pytest.raises(InputError, match="choose"):
        write_sample(tmp_path, seconds=seconds, size=size)


def test_sound_and_picture_are_equally_long_and_the_picture_survives(written, truth):
    av = pytest.importorskip("av")
    with av.open(str(written.clip)) as container:
        container.streams.video[0].thread_type = "NONE"
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        rate = container.streams.video[0].average_rate
    with av.open(str(written.clip)) as container:
        sound = [f for f in container.decode(audio=0)]
    seconds = sum(f.samples for f in sound) / sound[0].sample_rate
    assert len(frames) == 30 and rate == FPS
    assert abs(seconds - len(frames) / FPS) < 1 / FPS + 1e-6
    clear = truth["labels"][0] == Label.BACKGROUND
    off = np.abs(frames[0].astype(int) - truth["background"])[clear]
    assert np.median(off) <= 2


def test_landmarks_are_projections_of_the_posed_face(sample):
    truth = truth_arrays(sample.performance, sample.scene, sample.pictures)
    for row, frame in enumerate(sample.frames):
        points = sample.scene.landmarks(sample.performance.faces[frame])
        seen = project(points, truth["camera_to_head"][frame], truth["focal"], SIZE)
        assert np.abs(seen - truth["landmarks"][row, :, :2]).max() < 1e-3


def test_rigid_points_follow_the_pose_alone(sample):
    # The bridge of the nose and the forehead do not take part in speech.
    rigid = [6, 197, 195, 10, 151]
    still = sample.scene.landmarks(FacePose())[rigid]
    for picture, frame in zip(sample.pictures, sample.frames, strict=True):
        pose = np.linalg.inv(sample.performance.head_to_camera[frame])
        seen = project(still, pose, sample.scene.focal, SIZE)
        assert np.abs(seen - picture.landmarks[rigid, :2]).max() < 0.1


def test_poses_are_rotations_that_keep_within_the_gentle_range():
    performance = perform(12, 0)
    for matrices in (performance.head_to_camera, performance.body_to_camera):
        turn = matrices[:, :3, :3]
        assert np.allclose(turn @ turn.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    forward = performance.head_to_camera[:, :3, 2]
    assert np.degrees(np.abs(np.arcsin(forward[:, 0]))).max() <= 8.5
    assert np.degrees(np.abs(np.arcsin(forward[:, 1]))).max() <= 5.5
    assert np.degrees(np.ptp(np.arcsin(forward[:, 0]))) > 4


def test_shoulders_do_not_move_with_the_head():
    performance = perform(12, 0)
    head = performance.head_to_camera[:, :3, 3] - performance.head_to_camera[:, :3, 3].mean(0)
    body = performance.body_to_camera[:, :3, 3] - performance.body_to_camera[:, :3, 3].mean(0)
    assert body.std(0)[0] > 0.001
    assert abs(np.corrcoef(head[:, 0], body[:, 0])[0, 1]) < 0.9


def test_every_pixel_has_one_class_and_all_classes_are_there(sample):
    shown = [set(np.unique(picture.labels)) for picture in sample.pictures]
    assert set.union(*shown) == set(map(int, Label)) - {Label.ACCESSORIES}
    # Eyes are hidden in a blink.
    assert set.intersection(*shown) >= set(map(int, Label)) - {Label.ACCESSORIES, Label.EYES}


def test_the_head_matte_agrees_with_the_labels(sample):
    for picture in sample.pictures:
        assert np.array_equal(is_head(picture.labels), picture.head_alpha >= 127)
        soft = (picture.head_alpha > 0) & (picture.head_alpha < 255)
        assert 0.005 < soft.mean() < 0.1


def test_face_lies_where_the_landmarks_are(sample):
    for picture in sample.pictures:
        column, row = picture.landmarks[[1, 4, 50, 280, 199], :2].T.astype(int)
        assert (picture.labels[row, column] == Label.FACE).all()
        column, row = picture.landmarks[[12, 15], :2].T.astype(int)
        assert (picture.labels[row, column] == Label.LIPS).all()
        brow = picture.landmarks[10, :2].astype(int)
        assert (picture.labels[: brow[1] - 3, brow[0]] == Label.HAIR).sum() > 4


def test_background_plate_shows_wherever_nobody_stands(sample):
    for picture in sample.pictures:
        y, x = np.nonzero(picture.labels == Label.BACKGROUND)
        inside = (x > 0) & (x < SIZE - 1) & (y > 0)
        y, x = y[inside], x[inside]
        lonely = (picture.labels[y, x - 1] == 0) & (picture.labels[y, x + 1] == 0)
        same = (picture.rgb[y, x] == sample.scene.background[y, x]).all(1)
        assert same[lonely].mean() > 0.97


def test_the_picture_is_sharp_on_skin_and_hair(sample):
    picture = sample.pictures[0]
    grey = picture.rgb.astype(float).mean(2)
    detail = np.abs(grey[1:-1, 1:-1] * 4 - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2])
    for label in (Label.HAIR, Label.FACE):
        inside = picture.labels[1:-1, 1:-1] == label
        assert detail[inside].std() > 2


def test_mouth_closes_for_labials_and_pauses_and_opens_for_vowels():
    performance = perform(12, 0)
    names = np.array(performance.vowels)
    gap = np.array([face.gap for face in performance.faces])
    closures = np.isin(names, list(LABIALS))
    # Every closure is complete in one of its frames at least, if it has two of them.
    edges = np.flatnonzero(np.diff(closures.astype(int)))
    runs = [r for r in np.split(np.arange(len(names)), edges + 1) if closures[r[0]] and len(r) > 1]
    assert len(runs) > 3 and all(gap[r].min() < 0.05 for r in runs)
    assert np.median(gap[names == "_"]) < 0.02
    assert np.median(gap[names == "a"]) > 0.6
    assert np.median(gap[names == "a"]) > np.median(gap[names == "i"]) + 0.2


def test_lip_gap_in_the_picture_follows_the_pose(sample):
    gaps = lip_gap(np.stack([p.landmarks for p in sample.pictures]))
    posed = np.array([sample.performance.faces[k].gap for k in sample.frames])
    jaws = np.array([sample.performance.faces[k].jaw for k in sample.frames])
    assert np.corrcoef(gaps, posed)[0, 1] > 0.98
    assert np.corrcoef(gaps, jaws)[0, 1] > 0.9
    assert gaps.min() < 0.01 and gaps.max() > 0.12


def test_blinks_come_every_few_seconds_and_close_the_lids(sample):
    blink = np.array([face.blink for face in perform(20, 1).faces])
    closed = np.flatnonzero((blink[1:] > 0.95) & (blink[:-1] <= 0.95)) / FPS
    assert len(closed) >= 4
    assert (np.diff(closed) > 1.9).all() and (np.diff(closed) < 5.2).all()
    scene = sample.scene
    opened, shut = scene.landmarks(FacePose()), scene.landmarks(FacePose(blink=1.0))
    for upper, lower in ((159, 145), (386, 374)):
        wide = abs(opened[upper, 1] - opened[lower, 1])
        assert abs(shut[upper, 1] - shut[lower, 1]) < 0.2 * wide


def test_closed_lids_hide_the_iris(sample):
    scene, still = sample.scene, np.eye(4)
    still[2, 3] = 0.5
    shown = [scene.render(FacePose(blink=b), still, still) for b in (0.0, 1.0)]
    column, row = shown[0].landmarks[468, :2].astype(int)
    open_pupil, lid = (p.rgb[row, column].astype(int) for p in shown)
    assert lid.sum() > open_pupil.sum() + 100
    assert lid[0] > lid[2]


def test_gaze_is_scored_on_the_side_it_goes_to():
    performance = perform(12, 0)
    scores = blendshapes(performance).astype(np.float64)
    right, up = np.array([face.gaze for face in performance.faces]).T
    # MediaPipe's order: down, in, out, up, each left then right eye of the person.
    down_left, down_right, in_left, in_right, out_left, out_right, up_left, up_right = scores.T[
        11:19
    ]
    for left, other in ((down_left, down_right), (up_left, up_right)):
        np.testing.assert_array_equal(left, other)
    np.testing.assert_array_equal(out_left, in_right)
    np.testing.assert_array_equal(in_left, out_right)
    assert np.corrcoef(out_left - in_left, right)[0, 1] > 0.999
    assert np.corrcoef(up_left - down_left, up)[0, 1] > 0.999
    assert (scores[:, 11:19].max(0) > 0.02).all()
