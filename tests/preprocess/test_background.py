"""The background plate: still rooms, rooms with something that moves, and moving cameras."""

import numpy as np
import pytest

from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.errors import InputError
from nerf_talker.preprocess.media import VideoWriter, read_video
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.stage import StageContext
from nerf_talker.preprocess.stages import background

from .tiny import options


@pytest.fixture
def remade(copied, tiny):
    """Runs the stage on the tiny clip's frames after a change of each; notes and plate."""

    def run(change, **choices):
        files = DatasetFiles(copied)
        frames, labels = list(read_video(files.frames, False)), list(read_video(files.labels, True))
        with VideoWriter(files.frames, 64, 25, grey=False) as writer:
            for index, (picture, classes) in enumerate(zip(frames, labels, strict=True)):
                writer.write(np.where(classes[..., None] == 0, change(picture, index), picture))
        scratch = copied / "again"
        scratch.mkdir()
        notes = background.run(
            StageContext(tiny.clip, copied, scratch, options(tiny, **choices), Journey())
        )
        import cv2

        return notes, cv2.imread(str(DatasetFiles(scratch).background))[..., ::-1]

    return run


def room(wide=64):
    blocks = np.random.default_rng(3).integers(40, 210, (8, wide // 8, 3), np.uint8)
    return np.repeat(np.repeat(blocks, 8, 0), 8, 1)


def test_a_still_room_is_shown_as_it_is(remade):
    notes, plate = remade(lambda picture, index: room())
    assert notes["warnings"] == [] and notes["motion_levels"] < 3
    known = np.s_[2:30, 2:12]
    mistake = (plate[known].astype(float) - room()[known]) ** 2
    assert 10 * np.log10(255**2 / mistake.mean()) > 30


def test_a_change_of_light_is_no_motion(remade):
    notes, _ = remade(lambda picture, index: room() // 2 + 20 + 12 * (index % 3))
    assert notes["warnings"] == [] and notes["motion_levels"] < 3


def test_something_that_moves_is_reported(remade):
    def change(picture, index):
        seen = room().copy()
        if index % 4 == 0:
            seen[4:14, 2:12] = 250
        return seen

    notes, _ = remade(change)
    assert "of the background changes" in notes["warnings"][0]
    assert 0.02 < notes["moving_share"] < 0.4


def test_a_panned_camera_is_refused_by_name_or_given_one_colour(remade, copied):
    def change(picture, index):
        return np.roll(room(128), 2 * index, 1)[:, :64]

    with pytest.raises(InputError, match=r"the background moves .* --background plain"):
        remade(change)
    (copied / "again").rmdir()
    _, plate = remade(change, background="plain")
    assert len(np.unique(plate.reshape(-1, 3), axis=0)) == 1


def test_a_background_that_changed_once_is_shown_as_it_was_last(remade):
    first, last = room(), room()[::-1]
    notes, plate = remade(lambda picture, index: first if index < 40 else last)
    assert notes["like_latest_share"] < 0.9
    known = np.s_[2:30, 2:12]
    assert np.abs(plate.astype(float) - last)[known].mean() < 8
    assert np.abs(plate.astype(float) - first)[known].mean() > 25
