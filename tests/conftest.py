"""Shared fixtures: the tiny dataset, a finished run, and the folder of real clips and models."""

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

try:
    import nerf_talker.cuda_ext
    import nerf_talker.preprocess  # noqa: F401
except ImportError as error:
    raise pytest.UsageError(
        f"{error}: the checkout is not installed; run 'make test' or 'pip install -e .[dev]'"
    ) from None

SHARED = ROOT.parent / "shared"
if not os.environ.get("NERF_TALKER_MODELS") and (SHARED / "models").is_dir():
    os.environ["NERF_TALKER_MODELS"] = str(SHARED / "models")


@pytest.fixture(autouse=True, scope="session")
def _one_thread_per_worker():
    if os.environ.get("PYTEST_XDIST_WORKER"):
        torch.set_num_threads(1)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def shared_clip():
    """A function from a file name to a real clip beside the checkout; skips without it."""

    def find(name):
        path = SHARED / "data" / name
        if not path.is_file():
            pytest.skip(f"the real clip {name} is not at hand")
        return path

    return find


@pytest.fixture(scope="session")
def ellipse_folder(tmp_path_factory):
    """The tiny dataset of tests/builders.py on disk."""
    from tests.builders import write_dataset

    return write_dataset(tmp_path_factory.mktemp("ellipse") / "dataset")


@pytest.fixture(scope="session")
def ellipse(ellipse_folder):
    """The tiny dataset, opened."""
    from nerf_talker.data.dataset import Dataset

    return Dataset.open(ellipse_folder)


@pytest.fixture(scope="session")
def ellipse_run(ellipse_folder, tmp_path_factory):
    """A finished smoke run on the tiny dataset."""
    from nerf_talker.cli import main

    run = tmp_path_factory.mktemp("runs") / "ellipse"
    assert main(["train", str(ellipse_folder), "-o", str(run), "-c", "smoke", "--quiet"]) == 0
    return run
