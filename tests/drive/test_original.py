"""The original video is known again; another one, or one that begins elsewhere, is refused."""

import numpy as np
import pytest

from nerf_talker.cli import main
from nerf_talker.drive import likeness
from nerf_talker.drive.likeness import check_original
from nerf_talker.drive.original import open_original
from nerf_talker.errors import InputError
from nerf_talker.train.avatar import save_avatar

from .test_drive import write_tone
from .test_paste_back import CROP, WINDOW, cropped_avatar, write_original


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return cropped_avatar(ellipse_run)


def write_pictures(path, pictures):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 300, 320, "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def wandering(count):
    """Pictures of a bright spot that comes and goes before the same wall."""
    rows, columns = np.mgrid[:300, :320]
    for number in range(count):
        across, down = 168 + 70 * np.sin(number / 9), 150 + 60 * np.sin(number / 23)
        spot = 120 * np.exp(-((columns - across) ** 2 + (rows - down) ** 2) / 2000)
        wall = 40 + rows / 4 + columns / 8
        yield np.stack([spot + wall, wall, wall / 2], -1).astype(np.uint8)


def test_the_avatars_own_video_is_known_again(avatar, ellipse, tmp_path):
    for name, frames in (("short.mkv", 3), ("long.mkv", 200)):
        path = write_original(tmp_path / name, ellipse, frames=frames)
        check_original(avatar, open_original(avatar, path), path)


def test_another_scene_of_that_size_is_refused(avatar, ellipse, tmp_path, capsys):
    saved = tmp_path / "avatar.safetensors"
    save_avatar(saved, avatar.talker, avatar.poses, avatar.metadata)
    speech = write_tone(tmp_path / "a.wav", 0.2)
    other = write_pictures(tmp_path / "o.mkv", wandering(60))
    given = ["--audio", str(speech), "--paste-back", str(other), "-o", str(tmp_path / "out.mp4")]
    assert main(["render", str(saved), *given]) == 1
    error = capsys.readouterr().err
    assert f"{other}: shows something else than the avatar (likeness" in error
    assert error.count("\n") == 1 and not list(tmp_path.glob("*out*"))
    black = write_pictures(tmp_path / "b.mkv", [np.zeros((300, 320, 3), np.uint8)] * 3)
    with pytest.raises(InputError, match=r"\(likeness 0\.00 at"):
        check_original(avatar, open_original(avatar, black), black)


def small(pictures):
    import cv2

    return np.stack([cv2.resize(p[WINDOW], (64, 64)).astype(np.float32) / 255 for p in pictures])


def render_as(monkeypatch, pictures, solid=None):
    """Let the avatar look like ``pictures`` of the video it was made of, its head at ``solid``."""
    solid = np.ones((64, 64), bool) if solid is None else solid

    def rendered(_, original, numbers):
        return small([pictures[n] for n in numbers]), np.repeat(solid[None], len(numbers), 0)

    monkeypatch.setattr(likeness, "_rendered", rendered)


@pytest.mark.parametrize(("cut", "is_refused"), [(0, False), (2, False), (45, True), (80, True)])
def test_a_video_that_begins_elsewhere_is_refused(avatar, tmp_path, monkeypatch, cut, is_refused):
    shown = list(wandering(260))
    path = write_pictures(tmp_path / "o.mkv", shown[cut : cut + 170])
    render_as(monkeypatch, shown)
    original = open_original(avatar, path)
    assert original.crop == CROP
    if not is_refused:
        check_original(avatar, original, path)
        return
    with pytest.raises(InputError, match=r"moves otherwise .* nothing cut off its beginning"):
        check_original(avatar, original, path)


def test_what_moves_behind_the_head_is_no_other_motion(avatar, tmp_path, monkeypatch):
    away = np.hypot(*np.mgrid[-32:32, -32:32])
    calm = 0.1 * np.sin(np.arange(170) / 9)  # of a still head
    rows, columns = np.mgrid[:300, :320]
    heads = 90 * np.exp(-((columns - 168) ** 2 + (rows - 150) ** 2) / 4000)
    shown = [np.repeat((heads * (1 + c) + 40)[..., None], 3, 2).astype(np.uint8) for c in calm]
    filmed = [picture.copy() for picture in shown]
    for number, picture in enumerate(filmed):
        picture[:, 40 + number % 3 * 15 : 60 + number % 3 * 15] += 60  # a person walks past
    path = write_pictures(tmp_path / "o.mkv", filmed)
    render_as(monkeypatch, shown, away < 18)
    check_original(avatar, open_original(avatar, path), path)


def test_an_avatar_hardly_trained_is_not_asked_how_it_moves(avatar, tmp_path, monkeypatch):
    shown = list(wandering(170))
    path = write_pictures(tmp_path / "o.mkv", shown)
    rows, columns = np.mgrid[:300, :320]
    blurred = np.mean(shown, 0) + 90 * (np.hypot(rows - 200, columns - 168) < 40)[..., None]
    render_as(monkeypatch, [blurred.clip(0, 255)] * 170)
    check_original(avatar, open_original(avatar, path), path)


def test_instants_are_read_where_that_is_fast(avatar, tmp_path):
    import av

    found = {}
    for gop in (10, 100):
        path = tmp_path / f"{gop}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"g": f"{gop}"})
            stream.height, stream.width, stream.pix_fmt = 300, 320, "yuv420p"
            for picture in wandering(60):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        found[gop] = likeness._instants(open_original(avatar, path))
    assert found[10] == [0, 10, 20, 30, 40, 50]
    assert found[100][0] == 0 and len(found[100]) == 8 and found[100][-1] == 59
