import pytest

from tests.support.studies import STUDIES


@pytest.fixture(params=STUDIES)
def study(request):
    """Every kind of study a report must stand: finished, diverged, troubled, mixed, large, empty."""
    return STUDIES[request.param]()
