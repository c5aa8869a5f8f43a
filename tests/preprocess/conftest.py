"""A tiny clip and the dataset made of it, once per session."""

import shutil

import pytest

from nerf_talker.data.synthetic import render_sample
from nerf_talker.preprocess.models import FACE_MODEL
from nerf_talker.preprocess.pipeline import preprocess
from nerf_talker.weights import locate

from .tiny import options, write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def made(tiny, tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "anna"
    preprocess(tiny.clip, root, options(tiny))
    return root


@pytest.fixture
def copied(made, tmp_path):
    return shutil.copytree(made, tmp_path / "anna")


@pytest.fixture(scope="session")
def performer():
    """30 pictures (128, 128, 3) of the sample person, a speaking second and a bit at 25 fps.

    Only for the face model: without it nothing is drawn.
    """
    if locate(FACE_MODEL) is None:
        pytest.skip("face_landmarker.task is not at hand")
    return [picture.rgb for picture in render_sample(2.0, 128, 0, frames=list(range(30))).pictures]
