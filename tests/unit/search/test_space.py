"""The sweep grammar becomes distributions; points go to Optuna and come back."""

import itertools
import random

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.base.errors import SpaceError
from hpsearch.search.space import Space

CONDITIONAL = {
    "model=lenet/model.kernel_size": "choice(3, 5)",
    "optimizer.lr": "choice(0.1, 0.2)",
    "model": "choice(mlp, lenet, softmax)",
    "model=mlp/model.hidden": "choice([64], [64, 32])",
    "model=mlp/model.act": "choice(relu, tanh)",
}


def one(expression):
    (parameter,) = Space.parse({"a.key": expression}).parameters
    return parameter


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"model=lenet/model.k": "choice(1)"}, "model is not searched"),
        ({"model": "choice(mlp)", "model=lenet/model.k": "choice(1)"}, "model is never lenet (searched: mlp)"),
        ({"model": "choice(lenett)", "model=lenet/model.k": "choice(1)"}, "never lenet, did you mean 'lenett'?"),
        ({"model": "choice(a, b)", "k": "choice(1)", "model=a/k": "choice(2)"}, "k is searched twice, see k"),
        (
            {"m": "choice(a, b)", "o": "choice(c)", "m=a/k": "choice(1)", "o=c/k": "choice(2)"},
            "k is searched twice, see m=a/k",
        ),
        ({"b=1/a": "choice(1)", "a=1/b": "choice(1)"}, "go round in a circle"),
        ({"model=/k": "choice(1)"}, "a conditional name is written CONDITION/key"),
        ({"n": "range(1, 4)", "n=4/k": "choice(1)"}, "n is never 4 (searched: 1, 2, 3)"),
        ({"x": "interval(1, 4)", "x>=5/k": "choice(1)"}, "x is never >=5 (searched: interval(1.0, 4.0))"),
        ({"n": "int(interval(1, 4))", "n=2.5/k": "choice(1)"}, "n is never 2.5 (searched: int(interval(1, 4)))"),
        ({"n": "choice(a, b)", "n>=1/k": "choice(1)"}, "n is never >=1 (searched: a, b)"),
        ({"n": "range(1, 9)", "n>=5/n<5/k": "choice(1)"}, "space n>=5/n<5/k: its conditions never hold together"),
        ({"n": "range(1, 9)", "n>=4/k": "choice(1)", "n<=4/k": "choice(2)"}, "k is searched twice, see n>=4/k"),
        ({"h": "choice([1], [2])", "h[0]": "choice(1, 2)"}, "h[0] is searched twice, see h"),
        ({"a": "choice(1)", "b=1/c": "choice(1)", "c=1/b": "choice(1)"}, "in a circle: c -> b -> c"),
    ],
)
def test_bad_conditions_are_refused(table, message):
    with pytest.raises(SpaceError) as error:
        Space.parse(table)
    assert message in str(error.value)


def test_groups_come_before_what_depends_on_them():
    names = [parameter.name for parameter in Space.parse(CONDITIONAL).parameters]
    assert names == [
        "optimizer.lr",
        "model",
        "model=lenet/model.kernel_size",
        "model=mlp/model.hidden",
        "model=mlp/model.act",
    ]


def test_inactive_values_are_ignored():
    space = Space.parse(CONDITIONAL)
    flat = {
        "optimizer.lr": 0,
        "model": "lenet",
        "model=lenet/model.kernel_size": 1,
        "model=mlp/model.hidden": "[64]",
        "model=mlp/model.act": "tanh",
    }
    assert space.active(flat) == {"optimizer.lr": 0.1, "model": "lenet", "model.kernel_size": 5}
    assert space.active({**flat, "model": "mlp"})["model.hidden"] == [64]
    assert space.active({**flat, "model": "softmax"}) == {"optimizer.lr": 0.1, "model": "softmax"}


def test_a_grid_holds_active_combinations_once():
    space = Space.parse(CONDITIONAL)
    points = [space.active(cell) for cell in space.grid()]
    expected = [
        {"optimizer.lr": lr, "model": model, **rest}
        for lr in (0.1, 0.2)
        for model, branch in (
            ("mlp", [{"model.hidden": h, "model.act": a} for h in ([64], [64, 32]) for a in ("relu", "tanh")]),
            ("lenet", [{"model.kernel_size": k} for k in (3, 5)]),
            ("softmax", [{}]),
        )
        for rest in branch
    ]
    assert points == expected
    assert space.size() == len(expected) == 14


def test_nested_conditions():
    space = Space.parse({
        "m": "choice(a, b)",
        "m=a/o": "choice(x, y)",
        "m=a/o=x/k": "range(1, 4)",
        "m=b/k": "choice(9)",
    })
    assert [space.active(cell) for cell in space.grid()] == [
        {"m": "a", "o": "x", "k": 1},
        {"m": "a", "o": "x", "k": 2},
        {"m": "a", "o": "x", "k": 3},
        {"m": "a", "o": "y"},
        {"m": "b", "k": 9},
    ]
    assert space.size() == 5


def test_the_learning_rate_grid_is_short_and_exact():
    cells = Space.parse({"optimizer.lr": "tag(log, interval(1e-3, 10))"}).grid(13)
    rates = [cell["optimizer.lr"] for cell in cells]
    first = [0.001, 0.00215443, 0.00464159, 0.01, 0.0215443, 0.0464159, 0.1]
    assert rates == [*first, 0.215443, 0.464159, 1.0, 2.15443, 4.64159, 10.0]


def test_points_per_key():
    space = Space.parse({"a": "interval(0, 1)", "b": "interval(0, 1)"})
    assert len(space.grid({"a": 3, "b": 4})) == 12
    with pytest.raises(SpaceError, match=r"a grid over b = interval\(0.0, 1.0\) needs the number of its values"):
        space.grid({"a": 3})
    with pytest.raises(SpaceError, match=r"sampler\.points names c, which is not searched"):
        space.grid({"a": 3, "b": 3, "c": 3})


def test_a_grid_over_an_interval_needs_points():
    with pytest.raises(SpaceError, match=r"sampler\.points"):
        Space.parse({"optimizer.lr": "interval(0, 1)"}).grid()


def test_an_interval_makes_the_space_infinite():
    assert Space.parse({"a": "choice(1)", "b": "interval(0, 1)"}).size() is None


def test_the_stored_form_parses_to_the_same_space_and_tells_spaces_apart():
    table = {
        **CONDITIONAL,
        "a": "tag(log, int(interval(1, 9)))",
        "b": "shuffle(choice('x y', null, [1, {k: v}]))",
        "c": "range(9, 1, -2)",
        "d": "0.5, 1",
    }
    space = Space.parse(table)
    assert Space.parse(space.to_dict()) == space
    assert Space.parse({"x": "interval(1e-3,1)"}).to_dict() == Space.parse({"x": "interval(0.001, 1.0)"}).to_dict()
    assert Space.parse({"x": "interval(1e-3,1)"}).to_dict() != Space.parse({"x": "interval(1e-3,2)"}).to_dict()


def test_ends_hold_every_value_between_them():
    space = Space.parse({"a": "interval(-1, 2)", "b": "range(5, 1, -1)", "c": "choice(3, 1)", "d": "choice([1], null)"})
    assert space.ends() == {"a": (-1.0, 2.0), "b": (2, 5), "c": (3, 1), "d": ([1], None)}


scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | st.text("ab1.' ", max_size=4)


def meaning(value):
    """What a trial can tell apart, as text: 1 and 1.0 are one number."""
    if isinstance(value, list | dict):
        return repr([meaning(item) for item in (value if isinstance(value, list) else sorted(value.items()))])
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value) + 0.0 if is_number else value)


pairs = st.dictionaries(st.sampled_from(["a", "b.c", "d_e"]), scalars, max_size=2)
choices = st.lists(scalars | st.lists(scalars, max_size=2) | pairs, min_size=1, max_size=4, unique_by=meaning)


@st.composite
def tables(draw):
    """A searched group with up to three options and keys under each, and keys that are always active."""
    from hpsearch.base.grammar import value_text

    options = draw(st.lists(st.sampled_from(["mlp", "lenet", "cnn"]), min_size=1, unique=True))
    table = {"model": f"choice({', '.join(options)})"}
    for name in [f"model={o}/model.k" for o in options] + ["free"]:
        if draw(st.booleans()):
            kind = draw(st.sampled_from(["choice", "range", "interval"]))
            low = draw(st.integers(1, 5))
            table[name] = {
                "choice": f"choice({', '.join(map(value_text, draw(choices)))})",
                "range": f"range({low}, {low + draw(st.integers(1, 4))})",
                "interval": f"tag(log, interval({low}, {low + draw(st.integers(1, 9))}))",
            }[kind]
    if draw(st.booleans()):
        table[f"model={options[0]}/norm"] = "choice(none, batch)"
        table[f"model={options[0]}/norm=batch/share"] = "choice(true, 2, null)"
        table[f"model={options[0]}/norm=batch/share=2/eps"] = "range(0.1, 0.4, 0.1)"
    keys = draw(st.permutations(list(table)))
    return {key: table[key] for key in keys}


def slow_combinations(space, points):
    """Every combination of all flat values; those that differ in inactive values only, once."""
    names = [parameter.name for parameter in space.parameters]
    cuts = [[p.encode(value) for value in p.grid_values(points)] for p in space.parameters]
    seen = {}
    for values in itertools.product(*cuts):
        params = space.active(dict(zip(names, values, strict=True)))
        seen.setdefault(repr(params), params)  # 0 is not false
    return list(seen.values())


@settings(max_examples=60, deadline=None)
@given(tables())
def test_grids_against_the_product_of_everything(table):
    space = Space.parse(table)
    grid = [space.active(cell) for cell in space.grid(3)]
    assert sorted(map(repr, grid)) == sorted(map(repr, slow_combinations(space, 3)))
    if space.size() is not None:
        assert space.size() == len(grid)


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(0, 2**31))
def test_what_optuna_draws_round_trips(table, seed):
    space = Space.parse(table)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    flat = study.ask(space.distributions()).params
    assert set(flat) == set(table)
    params = space.active(flat)
    again = space.flat(params)
    assert again.items() <= flat.items()
    assert repr(space.active(again)) == repr(params)


@settings(max_examples=20, deadline=None)
@given(tables())
def test_grid_cells_can_be_queued_in_optuna(table):
    space = Space.parse(table)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    cells = space.grid(2)
    for cell in cells:
        study.enqueue_trial(cell)
    drawn = [study.ask(space.distributions()).params for _ in cells]
    assert [repr(space.active(flat)) for flat in drawn] == [repr(space.active(cell)) for cell in cells]


GROUPED = {
    "two groups": {"scheduler": "choice(constant, one_cycle)", "optimizer": "choice(sgd, adam, adagrad)"},
    "three groups and a key": {
        "a": "choice(x, y)",
        "b": "choice(x, y, z)",
        "c": "choice(v, w)",
        "a.lr": "interval(0.1, 1)",
    },
    "a group of one option": {
        "model": "choice(mlp, lenet, linear)",
        "init": "choice(default, normal)",
        "model=mlp/norm": "choice(none, batch)",
        "model=lenet/norm": "choice(batch, layer)",
        "model=lenet/norm=layer/eps": "choice(small, large)",
    },
    "no group": {"optimizer.lr": "interval(0.1, 1)"},
}


def groups_of(points, number):
    """What the points hold of so many groups at a time."""
    chosen = [sorted((key, value) for key, value in point.items() if "." not in key) for point in points]
    return {options for each in chosen for options in itertools.combinations(each, number)}


@pytest.mark.parametrize("case", GROUPED)
def test_covering_points_are_of_the_space_and_hold_every_pair(case):
    space = Space.parse(GROUPED[case])
    points, every = space.covering(100), [space.active(cell) for cell in space.grid(2)]
    assert all(point in every for point in points)
    assert len(points) <= len(every)
    assert groups_of(points, 1) == groups_of(every, 1)
    assert groups_of(points, 2) == groups_of(every, 2)


def test_covering_stays_within_its_number_of_pairs():
    groups = {name: f"choice({', '.join('abcdefgh')})" for name in "xyz"}
    space = Space.parse(groups)
    some, every = space.covering(24), space.covering(1000)
    assert len(some) <= 8 + 24
    assert len(groups_of(every, 2)) == 3 * 64
    assert len(every) < 8**3 / 3


def test_covering_points_hold_every_value_of_the_keys_named():
    space = Space.parse({
        "m": "choice(a, b)",
        "d.size": "choice(1, 8, 9)",
        "d.rows": "int(interval(2, 50))",
        "o.lr": "choice(1, 2)",
    })
    points = space.covering(0, ("d.size", "d.rows"))
    assert {point["d.size"] for point in points} == {1, 8, 9}
    assert {point["d.rows"] for point in points} == {2, 50}
    assert {point["o.lr"] for point in points} == {1}


def test_conditions_on_numbers_booleans_and_null():
    space = Space.parse({
        "n": "range(1, 3)",
        "flag": "choice(true, null)",
        "n=2/a": "choice(5)",
        "flag=true/b": "choice(6)",
        "flag=null/n=1/c": "choice(7)",
    })
    assert [space.active(cell) for cell in space.grid()] == [
        {"n": 1, "flag": True, "b": 6},
        {"n": 1, "flag": None, "c": 7},
        {"n": 2, "flag": True, "a": 5, "b": 6},
        {"n": 2, "flag": None, "a": 5},
    ]
    assert space.size() == 4


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(0, 2**31))
def test_a_users_point_becomes_the_same_values_and_back(table, seed):
    space = Space.parse(table)
    flat = space.draw(random.Random(seed))
    params = space.active(flat)
    assert set(flat) == set(table)
    assert space.is_complete(flat) and space.is_complete(space.flat(params))
    assert repr(space.cell(params)) == repr(space.flat(params))
    active = space.flat(params)
    assert not any(space.is_complete({name: active[name] for name in active if name != gone}) for gone in active)
    again = Space.parse(space.to_dict())
    assert repr(again.cell(params)) == repr(space.cell(params))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": "mlp"}, "optimizer.lr is missing"),
        ({"optimizer.lr": 0.1, "model": "lenet"}, "model.kernel_size is missing"),
        ({"optimizer.lr": 0.1, "modle": "lenet"}, "modle is not searched, did you mean 'model'?"),
        ({"optimizer.lr": 0.3, "model": "softmax"}, "optimizer.lr = 0.3 is not in choice(0.1, 0.2)"),
        ({"optimizer.lr": 0.1, "model": "vgg"}, "model = 'vgg' is not in choice(mlp, lenet, softmax)"),
        (
            {"optimizer.lr": 0.1, "model": "softmax", "model.kernel_size": 3},
            "model.kernel_size is not searched where model=softmax",
        ),
    ],
)
def test_a_point_outside_the_space_is_refused(params, message):
    with pytest.raises(SpaceError) as error:
        Space.parse(CONDITIONAL).cell(params)
    assert str(error.value) == message


def test_a_queue_of_too_many_combinations_is_refused():
    space = Space.parse({name: "range(0, 100)" for name in "abcdef"})
    assert space.size() == 100**6
    with pytest.raises(SpaceError, match="1000000000000 combinations, and a queue holds at most 100000"):
        space.grid()
    assert next(space.cells()) == dict.fromkeys("abcdef", 0)


def test_whole_numbers_of_an_interval_are_finitely_many():
    space = Space.parse({"width": "int(interval(1, 3))", "kind": "choice(a, b)"})
    assert space.size() == 6
    assert len({str(cell) for cell in space.cells()}) == 6
    assert Space.parse({"lr": "interval(1, 3)"}).size() is None


def test_a_grid_too_fine_to_queue_is_refused_before_it_is_built():
    with pytest.raises(SpaceError, match=r"sampler\.points = 1000000000 for lr: a queue holds at most"):
        Space.parse({"lr": "interval(0.0, 1.0)"}).grid(10**9)


def test_neighbours_differ_in_active_hyperparameters_alone():
    space = Space.parse({"a": "choice(1, 2, 3)", "kind": "choice(x, y)", "kind=x/b": "choice(true, false)"})
    point = {"a": 0, "kind": "y", "kind=x/b": "true"}
    near = list(space.neighbours(point, 1, random.Random(0)))
    assert near == [{**point, "a": 1}, {**point, "a": 2}, {**point, "kind": "x"}]
    two = list(space.neighbours(point, 2, random.Random(0)))
    assert two == [{**point, "a": a, "kind": "x"} for a in (1, 2)]
    assert list(space.neighbours(point, 1, random.Random(0), keep={"a"})) == [{**point, "kind": "x"}]


def test_of_many_neighbours_some_are_looked_at():
    table = {f"k{i}": f"choice({', '.join(f'v{j}' for j in range(50))})" for i in range(8)}
    space, point = Space.parse(table), dict.fromkeys(table, "v0")
    near = [frozenset(each.items()) for each in space.neighbours(point, 2, random.Random(0))]
    assert 1900 < len(near) <= 2100 and len(set(near)) == len(near)
    assert {sum(each[key] != "v0" for key in table) for each in map(dict, near)} == {2}
