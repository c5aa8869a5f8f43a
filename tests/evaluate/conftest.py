import pytest

from tests.evaluate.toy_face import toy_dataset


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A dataset of a drawn face, 132 frames of 64 pixels, opened without its files on disk."""
    return toy_dataset(tmp_path_factory.mktemp("toy"))
