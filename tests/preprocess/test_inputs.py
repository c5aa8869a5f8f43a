"""What a user gives beside the clip is refused at once, in one sentence, with nothing written."""

import re

import numpy as np
import pytest

from nerf_talker.errors import InputError
from nerf_talker.preprocess import pipeline

from .tiny import options


@pytest.fixture
def refused(tiny, tmp_path, monkeypatch):
    """A function from the options to the sentence, sure that no stage has run."""

    def ran(*_):
        raise AssertionError("a stage ran")

    monkeypatch.setattr(pipeline, "_run", ran)

    def refuse(clip=tiny.clip, **chosen):
        with pytest.raises(InputError) as caught:
            pipeline.preprocess(clip, tmp_path / "dataset", options(tiny, **chosen))
        assert not (tmp_path / "dataset").exists()
        return str(caught.value)

    return refuse


@pytest.mark.parametrize("name", ["parser", "landmarks", "audio"])
def test_a_folder_in_place_of_a_file(refused, tmp_path, name):
    assert refused(**{name: tmp_path}) == (
        f"{tmp_path}: is a folder; --{name} wants the path of a file"
    )


def test_a_folder_in_place_of_the_clip(refused, tmp_path):
    assert refused(tmp_path).startswith(f"{tmp_path}: is a folder; give a video")


def test_a_parser_beside_masks_for_all_frames(refused, tmp_path, tiny):
    (tmp_path / "net.pt").write_bytes(b"")
    assert refused(parser=tmp_path / "net.pt") == (
        f"--masks {tiny.masks} replaces --parser; give one of them"
    )


def test_a_model_folder_that_is_not_there(refused, tmp_path):
    assert "none: no such folder; give one that holds" in refused(models=tmp_path / "none")


def test_a_parser_that_is_none(refused, tmp_path):
    (tmp_path / "net.pt").write_bytes(b"words")
    assert "not a TorchScript file" in refused(parser=tmp_path / "net.pt", masks=None)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [(None, "holds no mask"), ("face.png", "named after the dataset's frame, like 000012.png")],
)
def test_a_mask_folder_without_masks(refused, tmp_path, name, sentence):
    (tmp_path / "masks").mkdir()
    if name:
        (tmp_path / "masks" / name).write_bytes(b"")
    assert sentence in refused(masks=tmp_path / "masks")


def test_mask_and_landmark_files_of_other_things(refused, tmp_path):
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    for name, lacking in (("masks", "labels"), ("landmarks", "landmarks")):
        sentence = refused(**{name: tmp_path / "other.npz"})
        assert re.search(f"has no '{lacking}' .found: pictures", sentence)


def test_a_folder_of_masks_may_stand_beside_a_parser(tiny, tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "net.pt").write_bytes(b"")
    chosen = options(tiny, masks=tmp_path / "masks", parser=tmp_path / "net.pt")
    pipeline._check_inputs(tiny.clip, chosen)
