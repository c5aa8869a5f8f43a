"""A tiny clip and the dataset made of it, once per session."""

import shutil

import pytest

from nerf_talker.preprocess.pipeline import preprocess

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
