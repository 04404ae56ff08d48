"""Combinations of finite spaces against the product of everything, and constraints before every proposal."""

import random
from itertools import product

import optuna
import pytest

from hpsearch.base.errors import SpaceError
from hpsearch.search import cells as module
from hpsearch.search.auto import AutoSampler
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.samplers import BruteForce, CmaEs, Grid, Manual, Sobol, check_sampler
from hpsearch.search.space import Space

TABLE = {
    "width": "range(8, 65, 8)",
    "heads": "choice(1, 2, 3, 4)",
    "depth": "int(interval(1, 6))",
    "depth>=3/skip": "choice(true, false)",
    "depth in [2, 5]/gamma": "choice(0.1, 0.2, 0.5)",
    "where": "[width % heads == 0, width * depth <= 128]",
}
HIDDEN = {"h[0]": "choice(8, 16, 32)", "h[1]": "choice(8, 16, 32)", "where": "h[0] >= h[1]"}


def by_hand():
    for width, heads, depth in product(range(8, 65, 8), (1, 2, 3, 4), range(1, 7)):
        if width % heads == 0 and width * depth <= 128:
            skips = (True, False) if depth >= 3 else (None,)
            gammas = (0.1, 0.2, 0.5) if depth in (2, 5) else (None,)
            for skip, gamma in product(skips, gammas):
                point = {"width": width, "heads": heads, "depth": depth, "skip": skip, "gamma": gamma}
                yield {key: value for key, value in point.items() if value is not None}


def as_set(points):
    return {tuple(sorted(point.items())) for point in points}


def test_a_grid_the_cells_and_the_size_are_those_that_meet_the_constraints():
    space, expected = Space.parse(TABLE), as_set(by_hand())
    grid = [space.active(cell) for cell in Grid(points=6).cells(space)]
    assert as_set(grid) == as_set(map(space.active, space.cells())) == expected
    assert len(grid) == space.size() == len(expected)
    hidden = Space.parse(HIDDEN)
    assert as_set(map(hidden.active, BruteForce().cells(hidden))) == {
        (("h[0]", a), ("h[1]", b)) for a, b in product((8, 16, 32), repeat=2) if a >= b
    }


def test_what_is_too_much_to_count_has_no_size(monkeypatch):
    monkeypatch.setattr(module, "MAX_COUNTED", 50)
    space = Space.parse(TABLE)
    assert space.size() is None
    with pytest.raises(SpaceError, match="has too many combinations"):
        space.grid(6)
    assert Space.parse({"a": "int(interval(1, 1000))", "b": "choice(1, 2)"}).size() == 2000


SAMPLERS = {
    "random": lambda: optuna.samplers.RandomSampler(seed=1),
    "sobol": lambda: Sobol(seed=1),
    "auto": lambda: AutoSampler(startup=8, seed=1),
    "tpe": lambda: optuna.samplers.TPESampler(seed=1, n_startup_trials=5),
    "cmaes": lambda: CmaEs(seed=1, warn_independent_sampling=False),
    "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=1, population_size=8),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("dense", [True, False])
def test_no_sampler_proposes_what_does_not_meet_them(name, dense):
    space = Space.parse(TABLE if dense else {**TABLE, "lr": "tag(log, interval(1e-3, 1))", "where": "width * lr < 1"})
    study = optuna.create_study(sampler=UniqueSampler(SAMPLERS[name](), space, 0))
    drawn = []
    for _ in range(30):
        trial = study.ask(space.distributions())
        params = space.active(trial.params)
        drawn.append(params)
        study.tell(trial, abs(params["width"] - 24) + params["depth"])
    assert all(space.allows(params) for params in drawn)
    assert len(as_set(drawn)) == 30
    if dense:
        assert as_set(drawn) <= as_set(by_hand())


def test_sobol_points_are_the_members_that_meet_them_in_order():
    free, bound = (
        Space.parse({"x": "interval(0, 1)", "y": "interval(0, 1)"}),
        Space.parse({"x": "interval(0, 1)", "y": "interval(0, 1)", "where": "x + y < 1"}),
    )

    def points(space, n):
        study = optuna.create_study(sampler=UniqueSampler(Sobol(seed=3), space, 0))
        return [study.ask(space.distributions()).params for _ in range(n)]

    assert points(bound, 20) == [point for point in points(free, 64) if point["x"] + point["y"] < 1][:20]


def test_random_points_are_uniform_over_what_meets_them():
    space, rng = Space.parse({"a": "range(0, 10)", "b": "range(0, 10)", "where": "a <= b"}), random.Random(0)
    drawn = [space.active(space.draw(rng)) for _ in range(4000)]
    low = sum(point["b"] == 0 for point in drawn)
    assert len(as_set(drawn)) == 55 and 30 < low < 130


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": "choice(1, 2)", "where": "a > 2"}, "space.where = [a > 2]: leaves nothing to search: no combination"),
        ({"a": "interval(0, 1)", "where": "[a > 1]"}, "none of 10000 random points meets it"),
        ({"a": "interval(0, 1)", "b": "interval(0, 1)", "where": "a == b"}, "none of 10000 random points meets it"),
    ],
)
def test_constraints_that_leave_nothing_are_refused_in_one_line(table, message):
    with pytest.raises(SpaceError) as error:
        Space.parse(table).check_constraints()
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": "choice(1, 2)", "where": "b > 2"}, "space.where: b > 2: b is not searched"),
        ({"alpha": "choice(1, 2)", "where": "alhpa > 2"}, "alhpa is not searched, did you mean 'alpha'?"),
        ({"a": "choice(x, 2)", "where": "a > 2"}, "a > 2: a = choice(x, 2) is not always a number"),
        ({"a": "choice(null, 2)", "where": "a + 1 == 2"}, "a = choice(null, 2) is not always a number"),
        ({"a": "choice(1, 2)", "where": "a >"}, "space where = a >: a >: it does not parse"),
    ],
)
def test_constraints_that_make_no_sense_are_refused_in_one_line(table, message):
    with pytest.raises(SpaceError) as error:
        Space.parse(table)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_listed_point_must_meet_them():
    space = Space.parse(TABLE)
    with pytest.raises(SpaceError, match=r"points\[0\] = .*: it does not meet width % heads == 0, see space.where"):
        check_sampler(Manual([{"width": 16, "heads": 3, "depth": 1}]), space)


def test_the_stored_form_keeps_them():
    table = {"a": "choice(1, 2)", "b": "choice(x, y)", "where": "[a > 1, b == 'x']", "b=x/where": "[a < 2]"}
    space = Space.parse(table)
    assert space.to_dict() == table and Space.parse(space.to_dict()) == space


def test_what_is_tried_beforehand_meets_them():
    space = Space.parse({
        "m": "choice(a, b, c)",
        "o": "choice(d, e)",
        "n": "range(1, 9)",
        "where": "[n >= 5, m != 'b']",
    })
    points = space.covering(24)
    assert all(map(space.allows, points))
    assert {(point["m"], point["o"]) for point in points} == set(product("ac", "de"))
