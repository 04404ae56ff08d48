"""Which failures end a search, as a table."""

import pytest

from hpsearch.search.failing import FailedPoint, FirstFailures


def failed(point, epoch=0, at="ValueError at a.py:3"):
    return FailedPoint(point, epoch, at, "ValueError: no")


@pytest.mark.parametrize(
    ("points", "running", "reached", "ends"),
    [
        ([failed(0), failed(1)], [], 0, False),
        ([failed(0), failed(1), failed(2)], [], 0, True),
        ([failed(2), failed(0), failed(1)], [5, 3], 0, True),
        ([failed(0), failed(2), failed(3)], [1], 0, False),  # a first point is still training
        ([failed(0), failed(1), failed(2)], [3], 1, False),  # which came further than those that failed
        ([failed(0), failed(1), failed(2)], [], 1, False),  # so did one that waits
        ([failed(0, 2), failed(1, 2), failed(2, 1)], [], 2, False),
        ([failed(0, 2), failed(1, 2), failed(2, 2)], [], 2, True),
        ([failed(0), failed(1, at="KeyError at a.py:3"), failed(2)], [], 0, False),
        ([failed(0), failed(1, at="KeyError at a.py:3"), failed(2), failed(3)], [], 0, True),
        ([failed(0, at=""), failed(1, at=""), failed(2, at="")], [], 0, True),  # workers that died
    ],
)
def test_points_that_fail_alike_before_any_works_end_the_search(points, running, reached, ends):
    for most in (3, None):
        first = FirstFailures(most)
        for each in points:
            first.add(each)
        assert bool(first.why(running, reached)) == (ends and most == 3)
    first = FirstFailures(3)
    for each in points:
        first.add(each)
    first.forget()
    assert not first.why(running, reached)


def test_the_error_is_said_with_its_place():
    first = FirstFailures(1)
    first.add(failed(0))
    assert first.why([], 0) == (
        "budget.failures = 1: so many points failed alike and none worked: ValueError: no (ValueError at a.py:3)"
    )
