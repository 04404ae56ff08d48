"""Narrowing: never without the best point, never past the old ranges."""

import random

import pytest

from hpsearch.search.space import Space
from hpsearch.study.narrow import narrowed, within

SPACE = Space.parse({
    "lr": "tag(log, interval(1e-4, 10))",
    "width": "int(interval(8, 128))",
    "mix": "interval(0.0, 1.0)",
    "kind": "choice(a, b, c)",
    "kind=b/depth": "int(interval(1, 9))",
})


def point(lr, score, width=64, mix=0.5, kind="a", **more):
    return score, {"lr": lr, "width": width, "mix": mix, "kind": kind, **more}


def ranked(points):
    """Return the settings of points, those of the best score first."""
    return [params for _, params in sorted(points, key=lambda scored: -scored[0])]


def ends(table, name):
    distribution = Space.parse(table).distributions()[name]
    return distribution.low, distribution.high


@pytest.mark.parametrize(
    "text", ["interval(0.99991, 0.99994)", "interval(1000.1, 1000.4)", "tag(log, interval(12345.6, 12346))"]
)
def test_rounding_neither_reverses_a_range_nor_cuts_its_limits(text):
    space = Space.parse({"x": text})
    low, high = space.ends()["x"]
    for best in (low, high):
        found = ends(narrowed(space, [{"x": best}]), "x")
        assert low <= found[0] <= best <= found[1] <= high
        assert found[0] < found[1]


def test_the_ranges_of_the_better_quarter_with_room_around_them():
    points = [point(10**exponent, score) for exponent, score in [(-2, 9.0), (-1.5, 8.0), (-1, 7.0), *[(0.5, 1.0)] * 9]]
    low, high = ends(narrowed(SPACE, ranked(points)), "lr")
    assert low == pytest.approx(10**-2.5, rel=1e-3)
    assert high == pytest.approx(10**-0.5, rel=1e-3)


def test_a_single_value_keeps_a_quarter_of_a_decade_on_both_sides():
    low, high = ends(narrowed(SPACE, ranked([point(0.1, 1.0)] * 3)), "lr")
    assert (low, high) == pytest.approx((0.1 / 10**0.25, 0.1 * 10**0.25), rel=1e-3)


def test_choices_are_kept_that_a_better_point_has_and_their_conditions_stay():
    points = [point(0.1, 9.0, kind="b", depth=4), point(0.1, 8.0, kind="a"), point(0.2, 7.0, kind="b", depth=6)]
    table = narrowed(SPACE, ranked([*points, *[point(1.0, 0.0, kind="c")] * 6]))
    assert table["kind"] == "choice(a, b)"
    low, high = ends(table, "kind=b/depth")
    assert 1 <= low <= 4 and 6 <= high <= 9


@pytest.mark.parametrize("seed", range(25))
def test_the_best_point_stays_inside_and_no_range_grows(seed):
    draw = random.Random(seed)
    points = [(draw.gauss(0, 1), SPACE.active(SPACE.draw(draw))) for _ in range(draw.randint(1, 40))]
    table = narrowed(SPACE, ranked(points))
    space, best = Space.parse(table), ranked(points)[0]
    flat = space.flat(best)
    for name, value in flat.items():
        distribution = space.distributions()[name]
        assert distribution._contains(distribution.to_internal_repr(value)), (name, value, distribution)
    for name in ("lr", "width", "mix"):
        (low, high), old = ends(table, name), SPACE.distributions()[name]
        assert old.low <= low <= high <= old.high


def test_a_range_on_a_linear_scale_becomes_one_of_decades():
    kept = within("optimizer.lr", "interval(0.01, 1)", 1e-3, 0.5)
    (distribution,) = Space.parse({"optimizer.lr": kept}).distributions().values()
    assert (distribution.low, distribution.high, distribution.log) == (0.01, 0.5, True)


def test_what_is_left_decides_which_conditions_can_still_hold():
    space = Space.parse({
        "n": "int(interval(1, 40))",
        "n>=30/deep": "choice(1, 2)",
        "n<30/flat": "choice(1, 2)",
        "a": "zip(1, 2)",
        "b": "zip(3, 4)",
        "k": "choice(1, 2, 3)",
        "k in [2, 3]/more": "choice(1, 2)",
        "where": "[n % k == 0, deep < 2]",
    })
    points = [{"n": n, "flat": 1, "a": 1, "b": 3, "k": 1} for n in (4, 5, 6)]
    table = narrowed(space, points)
    assert set(table) == {"n", "n<30/flat", "a", "b", "k", "where"}
    assert (table["a"], table["b"], table["k"], table["where"]) == (
        "zip(1, 2)",
        "zip(3, 4)",
        "choice(1)",
        "[n % k == 0]",
    )
    Space.parse(table).check_constraints()
