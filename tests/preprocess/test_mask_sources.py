"""Masks from a folder of corrections and from a face parser of the user's."""

import cv2
import numpy as np
import pytest
import torch

from nerf_talker.data.labels import Label, is_head, is_torso
from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.errors import InputError
from nerf_talker.preprocess.classes import Classes
from nerf_talker.preprocess.media import read_video
from nerf_talker.preprocess.parser import SIZE, TABLE, FaceParser
from nerf_talker.preprocess.pipeline import preprocess
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.stage import StageContext, file_digest
from nerf_talker.preprocess.stages import parsing
from nerf_talker.preprocess.stages.parsing import Reading
from nerf_talker.preprocess.supplied import read_mask_folder

from .tiny import FRAMES, options
from .tiny import SIZE as CLIP_SIZE


class ByColour(torch.nn.Module):
    """Bright red is skin (1), bright blue is cloth (16), the rest background (0)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red, blue = x[:, 0] - x[:, 2], x[:, 2] - x[:, 0]
        out = torch.full((x.shape[0], 19, x.shape[2], x.shape[3]), -20.0)
        out[:, 0] = 0.0
        out[:, 1] = 40.0 * (red - 0.9)
        out[:, 16] = 40.0 * (blue - 1.0)
        return out


class InAList(ByColour):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        red = x[:, 0] - x[:, 2]
        out = torch.full((x.shape[0], 19, x.shape[2], x.shape[3]), -20.0)
        out[:, 17] = 40.0 * red
        return [out, out[:, :2]]


class TooFew(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def saved(folder, module):
    path = folder / "parser.pt"
    torch.jit.script(module).save(str(path))
    return path


def test_a_parser_takes_the_place_of_the_models(tiny, made, tmp_path):
    path = saved(tmp_path, ByColour())
    root = tmp_path / "d"
    manifest = preprocess(tiny.clip, root, options(tiny, masks=None, parser=path))
    assert manifest.stages["parsing"].notes["source"] == "parser"
    labels, wanted = (
        np.stack(list(read_video(DatasetFiles(place).labels, True))) for place in (root, made)
    )
    for kind in (is_head, is_torso):
        both, either = kind(labels) & kind(wanted), kind(labels) | kind(wanted)
        assert both.sum() > 0.7 * either.sum()


def test_hair_below_the_jaw_is_torso_and_lists_are_understood(tmp_path):
    landmarks = np.zeros((478, 2), np.float32)
    landmarks[[33, 263, 234, 454, 152]] = [
        [200, 200],
        [300, 200],
        [170, 210],
        [330, 210],
        [250, 330],
    ]
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture[..., 0] = 255
    head, classes = FaceParser(saved(tmp_path, InAList())).read(picture, landmarks)
    assert head[220, 250] > 0.95 and classes.head[220, 250] == Label.HAIR
    assert head[400, 250] < 0.05 and classes.rest[400, 250] == Label.TORSO
    assert len(TABLE) == 19


def test_other_files_and_networks_are_refused(tmp_path):
    (tmp_path / "notes.pt").write_text("not a network")
    with pytest.raises(InputError, match="not a TorchScript file"):
        FaceParser(tmp_path / "notes.pt")
    parser = FaceParser(saved(tmp_path, TooFew()))
    with pytest.raises(InputError, match=r"returned \(1, 3, 512, 512\); wanted logits \(1, 19"):
        parser.read(np.zeros((SIZE, SIZE, 3), np.uint8), np.ones((478, 2), np.float32))


def mattes_with_splices(context, monkeypatch, splices):
    """The matte of each frame where the head is there from the sixth frame on."""
    seen = []
    shown = [np.full((8, 8), float(index >= 5), np.float32) for index in range(10)]
    classes = Classes(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8))
    readings = [Reading(np.zeros((8, 8, 3), np.uint8), matte, classes) for matte in shown]
    monkeypatch.setattr(parsing, "_readings", lambda *_: iter(readings))
    monkeypatch.setattr(parsing, "read_splices", lambda context: splices)
    monkeypatch.setattr(parsing, "fit_edge", lambda matte, *_: seen.append(matte[0, 0]) or matte)
    assert len(list(parsing._model_masks(context))) == 10
    return seen


def test_the_matte_is_smoothed_up_to_a_splice_and_no_further(copied, tiny, monkeypatch):
    context = StageContext(tiny.clip, copied, copied / "again", options(tiny), Journey())
    assert mattes_with_splices(context, monkeypatch, []) == [0] * 4 + [0.25, 0.75] + [1] * 4
    assert mattes_with_splices(context, monkeypatch, [5]) == [0] * 5 + [1] * 5
    assert mattes_with_splices(context, monkeypatch, [5, 6]) == [0] * 5 + [1] * 5


def test_hair_is_not_moved_across_a_splice():
    class Reads:
        def __init__(self):
            self.count = 0

        def read(self, picture):
            self.count += 1
            return np.full((4, 4), float(picture[0, 0, 0]), np.float32)

    marks = np.random.default_rng(0).uniform(0, 4, (1, 478, 2)).repeat(9, 0).astype(np.float32)
    frames = [np.full((4, 4, 3), 9 * (k >= 4), np.uint8) for k in range(9)]
    for splices, middle, reads in (([], 4.5, 5), ([4], 0.0, 6)):
        hair, person = Reads(), Reads()
        found = list(parsing._both_models(hair, person, iter(frames), marks, splices))
        assert len(found) == 9 and person.count == 9 and hair.count == reads
        assert found[3][1].mean() == pytest.approx(middle, abs=1e-4)
        assert [place[0][0, 0, 0] for place in found] == [0] * 4 + [9] * 5


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "masks"
    place.mkdir()
    labels = np.zeros((CLIP_SIZE, CLIP_SIZE), np.uint8)
    labels[20:60, 30:70] = Label.FACE
    cv2.imwrite(str(place / "000003.png"), labels)
    return place


def test_a_folder_corrects_single_frames(folder, copied, tiny, monkeypatch):
    automatic = (np.full((64, 64), Label.TORSO, np.uint8), np.zeros((64, 64), np.uint8))
    monkeypatch.setattr(parsing, "_model_masks", lambda context: iter([automatic] * FRAMES))
    scratch = copied / "again"
    scratch.mkdir()
    notes = parsing.run(
        StageContext(tiny.clip, copied, scratch, options(tiny, masks=folder), Journey())
    )
    assert notes["corrected_frames"] == 1 and notes["source"] == "model"
    labels = list(read_video(DatasetFiles(scratch).labels, True))
    alpha = list(read_video(DatasetFiles(scratch).head_alpha, True))
    assert set(np.unique(labels[3])) == {Label.BACKGROUND, Label.FACE}
    assert (is_head(labels[3]) == (alpha[3] >= 128)).mean() > 0.98
    assert (labels[4] == Label.TORSO).all() and alpha[4].max() == 0


def test_a_changed_correction_is_noticed(folder):
    before = file_digest(folder)
    assert before == file_digest(folder)
    (folder / "000003.png").rename(folder / "000004.png")
    assert file_digest(folder) != before


def test_a_matte_may_lie_beside_the_classes(folder):
    cv2.imwrite(str(folder / "000003_alpha.png"), np.full((CLIP_SIZE, CLIP_SIZE), 77, np.uint8))
    _, alpha = read_mask_folder(folder, FRAMES)[3].read(CLIP_SIZE, CLIP_SIZE)
    assert (alpha == 77).all()


@pytest.mark.parametrize(
    ("name", "value", "shape", "sentence"),
    [
        ("000099.png", 0, (96, 96), "named after the dataset's frame, 0 to 59"),
        ("face.png", 0, (96, 96), "named after the dataset's frame"),
        ("000005.png", 0, (20, 30), "wanted an 8-bit grey PNG of 96x96 px"),
        ("000005.png", 9, (96, 96), "holds the class 9; wanted 0 to 7"),
    ],
)
def test_wrong_corrections_are_refused(folder, name, value, shape, sentence):
    cv2.imwrite(str(folder / name), np.full(shape, value, np.uint8))
    with pytest.raises(InputError, match=sentence):
        for entry in read_mask_folder(folder, FRAMES).values():
            entry.read(CLIP_SIZE, CLIP_SIZE)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no mask"):
        read_mask_folder(tmp_path, 5)
