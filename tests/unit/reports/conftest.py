import pytest

from tests.support.studies import STUDIES


@pytest.fixture(params=STUDIES)
def study(request):
    """Name of every kind of study a report must stand: finished, diverged, troubled, mixed, large, empty."""
    return request.param
