"""Which failures end a search, as a table."""

import pytest

from hpsearch.search.failing import FailedPoint, FirstFailures


def failed(point, epoch=0, at="ValueError at a.py:3"):
    return FailedPoint(point, epoch, at, "ValueError: no")


@pytest.mark.parametrize(
    ("points", "reached", "ends"),
    [
        ([failed(0), failed(1)], 0, False),
        ([failed(0), failed(1), failed(2)], 0, True),
        ([failed(0), failed(1), failed(2)], 1, False),  # one that trains or waits came further
        ([failed(0, 2), failed(1, 2), failed(2, 1)], 2, False),
        ([failed(0, 2), failed(1, 2), failed(2, 2)], 2, True),
        ([failed(0), failed(1, at="KeyError at a.py:3"), failed(2)], 0, False),
        ([failed(0), failed(1, at="KeyError at a.py:3"), failed(2), failed(3)], 0, True),
        ([failed(0, at=""), failed(1, at=""), failed(2, at="")], 0, True),  # workers that died
    ],
)
def test_points_that_fail_alike_before_any_works_end_the_search(points, reached, ends):
    for most in (3, None):
        first = FirstFailures(most)
        for each in points:
            first.add(each)
        assert bool(first.why(reached)) == (ends and most == 3)
    first = FirstFailures(3)
    for each in points:
        first.add(each)
    first.forget()
    assert not first.why(reached)


@pytest.mark.parametrize(
    ("at", "where"), [("ValueError at a.py:3", " (ValueError at a.py:3)"), ("", ""), ("ValueError: no", "")]
)
def test_the_error_is_said_with_its_place(at, where):
    first = FirstFailures(1)
    first.add(failed(0, at=at))
    assert first.why(0) == f"budget.failures = 1: so many points failed alike and none worked: ValueError: no{where}"
