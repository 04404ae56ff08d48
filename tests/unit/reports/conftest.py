import pytest

from tests.unit.reports import synthetic

STUDIES = {
    "sweep": synthetic.sweep,
    "one_seed": lambda: synthetic.sweep(seeds=1),
    "one_epoch": lambda: synthetic.sweep(epochs=1),
    "one_trial": lambda: synthetic.sweep([0.1], seeds=1),
    "all_diverged": lambda: synthetic.sweep(diverges_from=0),
    "troubled": synthetic.troubled,
    "mixed": synthetic.mixed,
    "searched": synthetic.searched,
    "many": lambda: synthetic.mixed(points=300, epochs=4),
    "empty": synthetic.empty,
}


@pytest.fixture(params=STUDIES)
def study(request):
    """Every kind of study a report must stand: finished, diverged, troubled, mixed, large, empty."""
    return STUDIES[request.param]()
