"""A space that grows by what is suggested."""

import pytest
from optuna.distributions import CategoricalDistribution as Categorical
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from hpsearch.base.errors import SpaceError
from hpsearch.search.distributions import expression_of
from hpsearch.search.expression import parse_parameter
from hpsearch.search.suggested import count_of, open_space, united

EXPRESSIONS = {
    "interval(0.0, 1.0)": Float(0, 1),
    "tag(log, interval(1e-05, 0.1))": Float(1e-5, 0.1, log=True),
    "int(interval(1, 9))": Int(1, 9),
    "tag(log, int(interval(1, 64)))": Int(1, 64, log=True),
    "range(2, 10, 2)": Int(2, 8, step=2),
    "range(0.1, 0.4, 0.1)": Float(0.1, 0.3, step=0.1),
    "choice(3)": Int(3, 3),
    "choice(0.5)": Float(0.5, 0.5),
    "choice(relu, null, true, 1)": Categorical(["relu", None, True, 1]),
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_distribution_in_words_means_the_same_values(expression):
    distribution = EXPRESSIONS[expression]
    assert expression_of(distribution) == expression
    known = parse_parameter("x", expression)
    (made,) = open_space({"x": distribution}).parameters
    assert made.expression == expression
    if made.values is None and not distribution.single():
        assert known.distribution == distribution
        return
    values = made.values or (distribution.low,)
    assert count_of(distribution) == len(values)
    assert [known.resolve(value) for value in values] == list(known.values)


def test_what_optuna_holds_is_the_value_itself():
    (made,) = open_space({"x": Categorical(["relu", None, True])}).parameters
    assert [made.decode(made.encode(value)) for value in made.values] == ["relu", None, True]
    assert [made.encode(value) for value in made.values] == ["relu", None, True]


UNITED = {
    "new": (None, Int(1, 3), Int(1, 3)),
    "the same": (Int(1, 3), Int(1, 3), Int(1, 3)),
    "wider": (Int(1, 3), Int(2, 9), Int(1, 9)),
    "a step": (Int(0, 8, step=2), Int(2, 20, step=2), Int(0, 20, step=2)),
    "another step": (Int(0, 8, step=2), Int(1, 9, step=2), Int(0, 9)),
    "log": (Float(0.1, 1, log=True), Float(0.01, 0.5, log=True), Float(0.01, 1, log=True)),
    "steps of floats": (Float(0, 1, step=0.5), Float(0, 2, step=0.5), Float(0, 2, step=0.5)),
    "other steps of floats": (Float(0, 1, step=0.5), Float(0.25, 2.25, step=0.5), Float(0, 2.25)),
}


@pytest.mark.parametrize("name", UNITED)
def test_a_name_has_the_values_of_all_that_was_suggested_under_it(name):
    known, asked, whole = UNITED[name]
    assert united(known, asked) == whole


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        (Int(1, 3), Float(1, 3)),
        (Float(1, 3), Float(1, 3, log=True)),
        (Categorical(["a"]), Categorical(["a", "b"])),
        (Int(1, 3), Categorical([1, 2, 3])),
    ],
)
def test_as_in_optuna_a_name_keeps_its_kind_its_scale_and_its_choices(known, asked):
    with pytest.raises(ValueError, match=r"same parameter name|dynamic value space"):
        united(known, asked)


def test_another_kind_of_distribution_is_refused():
    with pytest.raises(SpaceError, match="a object cannot be searched"):
        expression_of(object())
