import pytest

from tests.ops.backends import NAMES, running


@pytest.fixture(params=NAMES)
def backend(request):
    """Each back-end in turn; skipped with its reason where it is absent."""
    with running(request.param):
        yield request.param
