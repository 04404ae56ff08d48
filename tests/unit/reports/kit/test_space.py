import math

import pandas as pd
import pytest

from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.space import INACTIVE, columns, main_axis, plain, searched


def table(space, **columns):
    return TrialTable("t", {"space": space}, pd.DataFrame(columns), pd.DataFrame(), pd.DataFrame())


def axis(expression, values):
    (found,) = searched(table({"x": expression}, x=values))
    return found


@pytest.mark.parametrize(
    ("expression", "values", "scale"),
    [
        ("tag(log, interval(1e-3, 1))", [0.5, 0.1], "log"),
        ("tag(coarse, log, interval(1e-3, 1))", [0.5, 0.1], "log"),
        ("interval(0, 1)", [0.5, 0.1], "linear"),
        ("interval(0, 1)", [0.9, 0.001], "linear"),
        ("choice(0.001, 0.01, 0.1)", [0.001, 0.1], "log"),
        ("choice(0, 0.9)", [0.0, 0.9], "linear"),
        ("choice(32, 64)", [64, 32], "linear"),
        ("choice(true, false)", [True, False], "category"),
        ("choice(a, 1)", ["a", 1], "category"),
        ("interval(0, 1)  # catalog", [0.2], "linear"),
    ],
)
def test_scale(expression, values, scale):
    assert axis(expression, values).scale == scale


def test_values_are_distinct_and_ascending_and_categories_keep_their_order():
    assert axis("interval(0, 1)", [0.5, 0.1, 0.5]).values == (0.1, 0.5)
    assert axis("choice(b, a)", ["b", "a", "b"]).values == ("b", "a")


def test_conditional_keys_lose_their_condition_and_missing_values_are_inactive():
    space = {"model": "choice(mlp, lenet)", "model=lenet/k": "choice(3, 5)", "model=big/k": "choice(3, 7)", "gone": "1"}
    axes = searched(table(space, model=["mlp", "lenet"], k=[None, 5]))
    assert [(a.key, a.values) for a in axes] == [("model", ("mlp", "lenet")), ("k", (5,))]


def test_places_on_each_scale():
    log, linear = axis("tag(log, interval(1e-2, 1))", [0.01, 0.1, 1.0]), axis("interval(0, 10)", [0.0, 5.0, 10.0])
    category = axis("choice(a, b)", ["a", "b"])
    assert (log.place(0.1), log.relative(0.1), log.unplace(-1)) == pytest.approx((-1, 0.5, 0.1))
    assert (linear.place(5), linear.relative(5), linear.unplace(5)) == (5, 0.5, 5)
    assert category.place("b") == 1
    assert math.isnan(category.place("c"))
    assert math.isnan(log.place(None))
    assert axis("interval(0, 1)", [0.3]).relative(0.3) == 0.5


def test_the_main_axis_is_the_first_logarithmic_one():
    space = {"m": "choice(a, b)", "b": "interval(0, 1)", "lr": "tag(log, interval(1e-3, 1))"}
    axes = searched(table(space, m=["a", "b"], b=[0.1, 0.9], lr=[0.01, 0.1]))
    assert main_axis(axes).key == "lr"
    assert main_axis(axes[:2]).key == "b"
    assert main_axis(axes[:1]).key == "m"
    assert main_axis(()) is None


def test_plain_values_are_hashable():
    assert plain([64, 64]) == "[64, 64]"
    assert plain(float("nan")) is None
    assert plain(pd.Series([3]).iloc[0]) == 3


def test_null_is_a_value_and_only_what_a_condition_leaves_out_is_inactive():
    space = {"model": "choice(mlp, lenet)", "model=lenet/clip": "choice(null, 0.1)", "decay": "choice(null, 0.5)"}
    study = table(space, model=["mlp", "lenet", "lenet"], clip=[None, None, 0.1], decay=[None, 0.5, math.nan])
    assert columns(study, ["clip", "decay"]) == {"clip": [INACTIVE, None, 0.1], "decay": [None, 0.5, None]}
    assert columns(study, ["decay"]) == {"decay": [None, 0.5, None]}
    assert [(a.key, a.values) for a in searched(study)][1:] == [("clip", (None, 0.1)), ("decay", (None, 0.5))]
    _, clip, _ = searched(study)
    assert math.isnan(clip.place_in({"model": "mlp"}))
    assert [clip.place_in({"clip": value}) for value in (None, 0.1)] == [0.0, 1.0]


def test_a_key_behind_a_null_is_active_where_its_condition_holds():
    space = {
        "clip": "choice(null, 0.1)",
        "clip=null/decay": "choice(0, 1)",
        "clip=null/decay=1/rest": "choice(a, null)",
    }
    study = table(space, clip=[None, None, 0.1], decay=[1, 0, None], rest=[None, None, None])
    assert columns(study, ["decay"]) == {"decay": [1, 0, INACTIVE]}
    assert columns(study, ["rest"]) == {"rest": [None, INACTIVE, INACTIVE]}
