"""One searched hyperparameter: its values, on a grid and on the unit interval, as Optuna and as a user write them."""

import math

import optuna
import pytest

from hpsearch.base.errors import SpaceError
from hpsearch.search.expression import parse_parameter


def one(expression):
    return parse_parameter("a.key", expression)


@pytest.mark.parametrize(
    ("expression", "points", "values"),
    [
        ("interval(0, 1)", 5, (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("interval(-1, 1)", 3, (-1.0, 0.0, 1.0)),
        ("interval(3, 4)", 2, (3.0, 4.0)),
        ("int(interval(1, 4))", 9, (1, 2, 3, 4)),
        ("tag(log, int(interval(1, 100)))", 5, (1, 3, 10, 32, 100)),
        ("interval(1, 1.000001)", 3, (1.0, 1.0000005, 1.000001)),
        ("choice(3, 1, 2)", 2, (3, 1, 2)),
        ("range(10, 1, -4)", None, (10, 6, 2)),
    ],
)
def test_what_a_grid_takes_of_one_parameter(expression, points, values):
    assert one(expression).grid_values(points) == values


@pytest.mark.parametrize("points", [1, 0, -3, 2.0, True, "many"])
def test_bad_points_are_refused(points):
    with pytest.raises(SpaceError, match=r"sampler.points = .*needs a whole number >= 2"):
        one("interval(0, 1)").grid_values(points)


def test_an_interval_too_narrow_to_cut():
    with pytest.raises(SpaceError, match="too narrow for 5 values"):
        one(f"interval(1, {math.nextafter(1, 2)})").grid_values(5)


@pytest.mark.parametrize(
    ("expression", "given", "own"),
    [
        ("interval(0, 2)", 1, 1.0),
        ("int(interval(0, 2))", 1.0, 1),
        ("choice(1, 2)", 2.0, 2),
        ("choice(true, 1)", True, True),
        ("choice(true, 1)", 1, 1),
        ("choice([1, a], null)", [1, "a"], [1, "a"]),
        ("range(0, 1, 0.1)", 0.3, 0.3),
    ],
)
def test_a_value_is_taken_as_the_spaces_own(expression, given, own):
    assert repr(one(expression).resolve(given)) == repr(own)


@pytest.mark.parametrize(
    ("expression", "given"),
    [
        ("interval(0, 2)", 2.1),
        ("interval(0, 2)", True),
        ("interval(0, 2)", math.nan),
        ("interval(0, 2)", "1"),
        ("int(interval(0, 2))", 1.5),
        ("choice(1, 2)", True),
        ("choice(a, 1)", "1"),
        ("choice([1], 2)", [2]),
        ("range(0, 5, 2)", 3),
    ],
)
def test_a_value_that_is_not_the_spaces_own_is_refused(expression, given):
    with pytest.raises(SpaceError, match=r"a.key = .* is not in "):
        one(expression).resolve(given)


@pytest.mark.parametrize(
    ("expression", "first", "middle", "last"),
    [
        ("interval(-1, 3)", -1.0, 1.0, 3.0),
        ("tag(log, interval(1e-4, 1))", 1e-4, 1e-2, 1.0),
        ("int(interval(0, 10))", 0, 5, 10),
        ("tag(log, int(interval(1, 1000)))", 1, 22, 1000),
        ("range(9, 0, -2)", 9, 5, 1),
        ("choice(c, a, b)", "c", "a", "b"),
        ("choice([8], null, 1)", "[8]", "null", "1"),
        ("choice(64, 0.5, 8)", 0, 1, 2),
    ],
)
def test_shares_of_a_range(expression, first, middle, last):
    parameter = one(expression)
    found = [parameter.from_unit(share) for share in (0, 0.5, math.nextafter(1, 0))]
    assert [type(value) for value in found] == [type(first)] * 3
    assert found == ([first, middle, last] if isinstance(first, str) else pytest.approx([first, middle, last]))


@pytest.mark.parametrize("expression", ["int(interval(2, 6))", "range(2, 7)", "choice(2, 3, 4, 5, 6)"])
def test_equal_shares_make_whole_numbers_equally_probable(expression):
    parameter = one(expression)
    drawn = [parameter.decode(parameter.from_unit((i + 0.5) / 1000)) for i in range(1000)]
    assert {value: drawn.count(value) for value in range(2, 7)} == dict.fromkeys(range(2, 7), 200)


def test_whole_numbers_on_a_log_scale_are_as_probable_as_in_optuna():
    parameter = one("tag(log, int(interval(1, 20)))")
    sampler, study = optuna.samplers.RandomSampler(seed=0), optuna.create_study()
    theirs = [sampler.sample_independent(study, None, "a", parameter.distribution) for _ in range(4000)]
    ours = [parameter.from_unit((i + 0.5) / 4000) for i in range(4000)]
    for value in range(1, 21):
        assert abs(ours.count(value) - theirs.count(value)) < 5 * math.sqrt(ours.count(value))


def test_numbers_of_a_choice_are_asked_for_by_their_place_in_order():
    parameter = one("choice(64, 0.5, 8)")
    assert [parameter.encode(value) for value in (0.5, 8, 64)] == [0, 1, 2]
    assert [parameter.decode(place) for place in range(3)] == [0.5, 8, 64]
    assert parameter.grid_values(None) == parameter.ends() == (64, 0.5, 8)
    assert [parameter.to_unit(place) for place in range(3)] == pytest.approx([1 / 6, 1 / 2, 5 / 6])


@pytest.mark.parametrize(
    ("expression", "value", "near"),
    [
        ("choice(c, a, b)", "a", ["c", "b"]),
        ("choice(9, 0, 1)", 1, [0, 9]),
        ("choice(true, 1, null)", None, [True, 1]),
        ("range(10, 1, -4)", 6, [10, 2]),
        ("range(0, 0.5, 0.1)", 0.0, [0.1, 0.2, 0.3, 0.4]),
        ("int(interval(1, 5))", 2, [1, 3, 4, 5]),
        ("int(interval(1, 100))", 90, [89, 91, 88, 92, 86, 94, 82, 98, 74, 58, 26]),
    ],
)
def test_near_values_of_a_finite_number(expression, value, near):
    parameter = one(expression)
    assert [parameter.decode(stored) for stored in parameter.near(parameter.encode(value))] == near


def test_near_values_of_an_interval_lie_on_its_own_scale():
    near = one("tag(log, interval(1e-4, 1))").near(0.01)
    assert len(near) == 19 and near[0] == pytest.approx(0.01 * 10 ** (-4 / 1024))
    assert min(near) == pytest.approx(1e-4) and max(near) == pytest.approx(0.1)
