"""Masks that the user supplies: accepted in the two usual ranges, refused in one sentence else."""

import json

import numpy as np
import pytest

from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.errors import InputError
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.stage import StageContext
from nerf_talker.preprocess.stages import landmarks, parsing
from nerf_talker.preprocess.supplied import read_masks

from .tiny import FRAMES, options

LABELS = np.tile(np.array([0, 1, 2, 3], np.uint8), (2, 3, 1))


def written(folder, labels, alpha):
    np.savez(folder / "m.npz", labels=labels, head_alpha=alpha)
    return folder / "m.npz"


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float64"])
def test_bytes_and_fractions_mean_the_same(tmp_path, kind):
    alpha = np.tile(np.array([0, 51, 204, 255]), (2, 3, 1))
    given = (alpha / 255 if kind.startswith("float") else alpha).astype(kind)
    labels, matte = read_masks(written(tmp_path, LABELS.astype("int32"), given))
    assert labels.dtype == matte.dtype == np.uint8
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(matte, alpha)


@pytest.mark.parametrize(
    ("alpha", "sentence"),
    [
        ((LABELS >= 2).astype(np.uint8), "nowhere above 1, so there is no head"),
        (np.zeros(LABELS.shape, np.float32), "nowhere above 0, so there is no head"),
        (255.0 * (LABELS >= 2), "runs from 0 to 255; wanted uint8"),
        (np.full(LABELS.shape, np.nan), "runs from nan to nan"),
        (LABELS.astype(np.int16) * 200, "runs from 0 to 600"),
        (LABELS.astype(np.int8) - 1, "runs from -1 to 2"),
        (LABELS >= 2, "head_alpha is bool; wanted uint8 from 0 to 255"),
        (np.zeros((2, 3, 5), np.uint8), r"must both be \(frames, height, width\)"),
    ],
)
def test_a_matte_in_another_range_is_refused(tmp_path, alpha, sentence):
    with pytest.raises(InputError, match=sentence):
        read_masks(written(tmp_path, LABELS, alpha))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (LABELS + 5, "the class 8; wanted 0 background"),
        (LABELS.astype(np.int8) - 1, "the class -1; wanted 0 background"),
        (LABELS.astype(np.float32), "labels are float32; wanted whole numbers"),
    ],
)
def test_other_classes_are_refused(tmp_path, labels, sentence):
    with pytest.raises(InputError, match=sentence):
        read_masks(written(tmp_path, labels, np.full(LABELS.shape, 255, np.uint8)))


def test_what_is_supplied_for_the_clip_is_used_for_a_part_of_it(copied, tiny):
    path = copied / "work" / "clip.json"
    record = json.loads(path.read_text())
    assert (record["first"], record["whole"]) == (0, FRAMES)
    path.write_text(json.dumps({**record, "first": 20, "frames": FRAMES - 30}))
    scratch = copied / "again"
    context = StageContext(tiny.clip, copied, scratch, options(tiny), Journey())
    parsing.STAGE.run(context)
    landmarks.STAGE.run(context)
    before = list(read_video(DatasetFiles(copied).labels, True))[20:-10]
    after = list(read_video(DatasetFiles(scratch).labels, True))
    np.testing.assert_array_equal(after, before)
    with (
        np.load(copied / "work/landmarks.npz") as old,
        np.load(scratch / "work/landmarks.npz") as new,
    ):
        np.testing.assert_array_equal(new["landmarks"], old["landmarks"][20:-10])


def test_a_gap_with_a_cut_in_it_is_held_on_both_sides(copied, tiny):
    path = copied / "work" / "clip.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "splices": [30]}))
    marks = np.load(tiny.landmarks)["landmarks"]
    marks[24:36] = np.nan
    np.savez(copied.parent / "gaps.npz", landmarks=marks)
    chosen = options(tiny, landmarks=copied.parent / "gaps.npz")
    notes = landmarks.STAGE.run(
        StageContext(tiny.clip, copied, copied / "again", chosen, Journey())
    )
    with np.load(copied / "again" / "work/landmarks.npz") as found:
        points = found["landmarks"]
    assert (points[23:30] == points[23]).all() and (points[30:37] == points[36]).all()
    assert not np.allclose(points[23], points[36])
    assert notes["splices"] == [30] and notes["interpolated"] == 0 and notes["missing"] == 12
