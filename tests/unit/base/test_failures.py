import traceback
from pathlib import Path

import pytest

from hpsearch.base.failures import Failure, alike
from hpsearch.base.limits import count


def lines_of(function) -> tuple[str, ...]:
    try:
        function()
    except Exception as error:
        return Failure("0/0", "no", "".join(traceback.format_exception(error))).where
    raise AssertionError("it raised nothing")


def own():
    raise ValueError("no\nsuch layer")


def by_a_library():
    import json

    json.loads("{")


def by_ours():
    count()("points", -1)


def chained():
    try:
        own()
    except ValueError as error:
        raise TypeError from error


def deep(n=9):
    return deep(n - 1) if n else own()


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (own, ["own: raise ValueError"]),
        (by_a_library, ['by_a_library: json.loads("{")']),
        (by_ours, ['by_ours: count()("points", -1)']),
        (chained, ["chained: raise TypeError from error"]),
        (deep, [*["deep: return deep(n - 1) if n else own()"] * 3, 'own: raise ValueError("no\\nsuch layer")']),
    ],
)
def test_the_lines_are_those_of_the_users_own_code(function, named):
    where = lines_of(function)
    assert all(line.startswith(f"{Path(__file__).name}, line ") for line in where)
    assert len(where) == min(5, len(named) + 1)
    for line, part in zip(where[-len(named) :], named, strict=True):
        assert part in line


def test_of_a_worker_that_died_they_are_the_last_it_printed():
    printed = "\n".join(f"batch {number}" for number in range(20)) + "\n\n"
    assert Failure("0/0", "its worker died", printed).where == tuple(f"batch {n}" for n in range(15, 20))
    assert Failure("0/0", "no report for 3 s", "").where == ()


def test_failures_that_are_alike_are_one_and_the_most_frequent_is_first():
    failed = [Failure(f"{number}/0", f"r{number}", "") for number in range(4)]
    found = alike(zip("abbb", failed, strict=True))
    assert [(each.trial, each.reason, each.trials) for each in found] == [("1/0", "r1", 3), ("0/0", "r0", 1)]
    assert str(Failure("0/0", "ValueError: no", "x = 1\ny = 2\n")) == "x = 1\ny = 2\nValueError: no"
