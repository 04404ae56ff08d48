"""Zipped keys: one place for all of them, whatever looks at the space."""

import random

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution

from hpsearch.base.errors import SpaceError
from hpsearch.search.auto import AutoSampler
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.samplers import Manual, check_sampler
from hpsearch.search.space import Space

TABLE = {"width": "zip(64, 128, 128)", "lr": "interval(0, 1)", "depth": "zip(2, 4, 8)", "kind": "choice(a, b)"}
ROWS = [(64, 2), (128, 4), (128, 8)]


def test_optuna_is_asked_for_one_place():
    space = Space.parse(TABLE)
    assert space.distributions()["width"] == IntDistribution(0, 2)
    assert "depth" not in space.distributions()
    assert [p.key for p in space.parameters] == ["width", "depth", "lr", "kind"]
    nominal = Space.parse({"norm": "zip(batch, layer)", "gain": "zip(1, 2)"})
    assert nominal.distributions() == {"norm": CategoricalDistribution(range(2))}
    jumping = Space.parse({"a": "zip(1, 3, 2)", "b": "zip(1, 2, 3)"})
    assert jumping.distributions() == {"a": CategoricalDistribution(range(3))}


def test_points_hold_the_values_of_one_place_and_back():
    space, rng = Space.parse(TABLE), random.Random(0)
    drawn = [space.draw(rng) for _ in range(50)]
    points = [space.active(flat) for flat in drawn]
    assert {(point["width"], point["depth"]) for point in points} == set(ROWS)
    assert [space.flat(point) for point in points] == drawn
    assert [space.cell(point) for point in points] == drawn


def test_a_grid_its_size_and_constraints():
    finite = {name: text for name, text in TABLE.items() if name != "lr"}
    space = Space.parse(finite)
    assert [(p["width"], p["depth"], p["kind"]) for p in map(space.active, space.grid())] == [
        (*row, kind) for row in ROWS for kind in "ab"
    ]
    assert space.size() == 6
    assert Space.parse({**finite, "where": "width // depth == 32"}).size() == 4
    assert Space.parse({**finite, "depth>=4/g": "choice(1, 2)"}).size() == 2 + 2 * 2 * 2


def test_zips_of_another_tag_or_condition_are_others():
    space = Space.parse(
        {"a": "zip(1, 2)", "b": "zip(1, 2)", "c": "tag(o, zip(x, y, z))", "d": "tag(o, zip(1, 2, 3))"}
        | {"c=x/e": "zip(1, 2)", "c=x/f": "zip(3, 4)"}
    )
    assert list(space.distributions()) == ["a", "c", "c=x/e"]
    assert space.size() == 2 * (2 + 1 + 1)
    assert Space.parse(space.to_dict()) == space


@pytest.mark.parametrize("sampler", [AutoSampler(startup=4, seed=0), optuna.samplers.TPESampler(n_startup_trials=3)])
def test_samplers_propose_them_together_and_nothing_twice(sampler):
    space = Space.parse({name: text for name, text in TABLE.items() if name != "lr"})
    study = optuna.create_study(sampler=UniqueSampler(sampler, space, 0))
    points = []
    for _ in range(6):
        trial = study.ask(space.distributions())
        points.append(tuple(space.active(trial.params).values()))
        study.tell(trial, float(len(points)))
    assert sorted(points) == sorted((*row, kind) for row in ROWS for kind in "ab")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": "zip(1, 2)"}, "space a = zip(1, 2): nothing to zip it with; write choice(...)"),
        ({"a": "zip(1, 2)", "b": "zip(1)"}, "space b = zip(1): zipped with 2 values of a = zip(1, 2)"),
        ({"a": "zip(1, 1)", "b": "zip(2, 2)"}, "a = 1, b = 2 is zipped twice"),
        ({"a": "zip()", "b": "zip()"}, "an empty zip is not allowed"),
        ({"a": "shuffle(zip(1, 2))", "b": "zip(1, 2)"}, "not shuffled"),
    ],
)
def test_bad_zips_are_refused_in_one_line(table, message):
    with pytest.raises(SpaceError) as error:
        Space.parse(table)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_listed_point_must_be_of_one_place():
    space = Space.parse(TABLE)
    with pytest.raises(SpaceError, match="width = 64, depth = 8 are not zipped together"):
        check_sampler(Manual([{"width": 64, "depth": 8, "lr": 0.5, "kind": "a"}]), space)
    (cell,) = Manual([{"width": 128, "depth": 8, "lr": 0.5, "kind": "a"}]).cells(space)
    assert cell["width"] == 2


def test_zipped_groups_are_tried_beforehand():
    space = Space.parse({"model": "zip(mlp, lenet, vit)", "optimizer": "zip(sgd, adam, adam)", "n": "choice(1, 2)"})
    tried = {(point["model"], point["optimizer"]) for point in space.covering(8)}
    assert tried == {("mlp", "sgd"), ("lenet", "adam"), ("vit", "adam")}
