import pytest

from hpsearch.base.widening import Widening
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.ranges import extensions_of
from tests.support.scores import scored


def test_near_is_within_the_typical_spread_of_replicates():
    near = summarize(scored([[0.90, 0.92], [0.895, 0.915], [0.88, 0.90], [0.5, 0.52]])).near
    assert near.tolerance == pytest.approx(0.02 / 2**0.5)
    assert near.points == (0, 1)
    assert near.of == 4
    assert "between replicates" in near.rule


@pytest.mark.parametrize(("direction", "points"), [("maximize", (3, 4)), ("minimize", (0,))])
def test_with_one_replicate_near_is_a_tenth_of_the_way_to_the_median(direction, points):
    near = summarize(scored([[0.1], [0.3], [0.5], [0.97], [1.0]], direction)).near
    assert near.points == points
    assert near.tolerance == pytest.approx(0.05 if direction == "maximize" else 0.04)


def test_few_near_the_best_is_a_finding_of_large_studies_only():
    lone = [[0.5 + 0.01 * i, 0.501 + 0.01 * i] for i in range(19)]
    assert not summarize(scored([*lone[:9], [0.99, 0.991]])).near.few
    assert summarize(scored([*lone, [0.99, 0.991]])).near.few
    assert not summarize(scored([*lone, *[[0.99 + 1e-4 * i, 0.991 + 1e-4 * i] for i in range(5)]])).near.few
    once = [each[:1] for each in [*lone, [0.99, 0.991]]]
    assert not summarize(scored(once)).near.few  # one seed may be lucky


def test_extensions_are_read_in_order():
    rate, old, new = "optimizer.lr", [0.001, 0.1], [0.001, 1.0]
    event = {"name": rate, "key": rate, "side": "high", "old": old, "new": new, "best": 0.09, "failed": 0, "time": 3.0}
    assert extensions_of({"extensions": [event]}) == (
        Widening("optimizer.lr", "optimizer.lr", "high", (0.001, 0.1), (0.001, 1.0), 0.09),
    )
    assert extensions_of({}) == ()


def test_one_point_has_no_neighbours():
    assert summarize(scored([[0.5]])).near is None
