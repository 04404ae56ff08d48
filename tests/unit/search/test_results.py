"""Which complete point a search holds for the best."""

import pytest

from hpsearch.base.types import BestPoint, Objective
from hpsearch.search.results import Results


def point(number, mean, sd):
    return BestPoint(number, {"optimizer.lr": 0.1}, mean, sd, 3)


@pytest.mark.parametrize(
    ("direction", "points", "wanted"),
    [
        ("maximize", [(0.9, 0.1), (0.8, 0.0)], 0),
        ("minimize", [(0.9, 0.1), (0.8, 0.2)], 1),
        ("maximize", [(0.9, 0.1), (0.9, 0.05)], 1),  # of equal means the smaller spread, as the report has it
        ("maximize", [(0.9, 0.1), (0.9, 0.1)], 0),
        ("maximize", [(0.9, float("nan")), (0.9, float("nan"))], 0),
    ],
)
def test_the_best_is_the_one_that_the_report_calls_best(direction, points, wanted):
    results = Results(Objective("valid/acc", direction))
    for number, (mean, sd) in enumerate(points):
        results.add_point(point(number, mean, sd), [mean], number + 1)
    assert results.best.point == wanted


@pytest.mark.parametrize("order", [(3, 5), (5, 3)])
def test_of_equal_points_the_earlier_is_best_whichever_ends_first(order):
    results = Results(Objective("valid/acc"))
    news = [results.add_point(point(number, 0.9, 0.1), [0.9], number + 1) for number in order]
    assert results.best.point == 3
    assert news == [True, order == (5, 3)]
