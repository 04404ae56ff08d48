"""The sweep grammar becomes distributions."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hpsearch.base.errors import SpaceError
from hpsearch.base.grammar import value_text
from hpsearch.search.expression import parse_parameter
from hpsearch.search.space import Space


def one(expression):
    return parse_parameter("a.key", expression)


@pytest.mark.parametrize(
    ("expression", "distribution", "values"),
    [
        ("choice(mlp, lenet)", CategoricalDistribution(["mlp", "lenet"]), ("mlp", "lenet")),
        ("choice(0, 0.9)", IntDistribution(0, 1), (0, 0.9)),
        ("choice(7)", IntDistribution(0, 0), (7,)),
        ("choice(true, false)", CategoricalDistribution(["true", "false"]), (True, False)),
        ("choice(null, 0.5)", CategoricalDistribution(["null", "0.5"]), (None, 0.5)),
        ("choice(none, 3)", CategoricalDistribution(['"none"', "3"]), ("none", 3)),
        ("choice('1', 1)", CategoricalDistribution(['"1"', "1"]), ("1", 1)),
        ("choice(true, 1)", CategoricalDistribution(["true", "1"]), (True, 1)),
        ("choice([16, 32], [64])", CategoricalDistribution(["[16, 32]", "[64]"]), ([16, 32], [64])),
        ("choice({a: 1}, {a: 2})", CategoricalDistribution(['{"a": 1}', '{"a": 2}']), ({"a": 1}, {"a": 2})),
        ("1e-3, 1e-2", IntDistribution(0, 1), (0.001, 0.01)),
        ("null, 1", CategoricalDistribution(["null", "1"]), (None, 1)),
        ("sort(3, 2, 1)", IntDistribution(0, 2), (1, 2, 3)),
        ("sort(1, 2, 3, reverse=true)", IntDistribution(0, 2), (3, 2, 1)),
        ("range(1, 5)", IntDistribution(1, 4), (1, 2, 3, 4)),
        ("range(4)", IntDistribution(0, 3), (0, 1, 2, 3)),
        ("range(16, 65, step=16)", IntDistribution(16, 64, step=16), (16, 32, 48, 64)),
        ("range(10, 1, -4)", IntDistribution(2, 10, step=4), (10, 6, 2)),
        ("range(0, 0.5, 0.1)", FloatDistribution(0, 0.4, step=0.1), (0.0, 0.1, 0.2, 0.3, 0.4)),
        ("range(0.1, 0.4, 0.1)", FloatDistribution(0.1, 0.3, step=0.1), (0.1, 0.2, 0.3)),
        ("interval(1, 10)", FloatDistribution(1.0, 10.0), None),
        ("int(interval(1, 10))", IntDistribution(1, 10), None),
        ("tag(log, interval(1e-5, 1))", FloatDistribution(1e-5, 1.0, log=True), None),
        ("tag(log, int(interval(1, 1000)))", IntDistribution(1, 1000, log=True), None),
        (" tag( log,\n interval(1e-5, 1) ) ", FloatDistribution(1e-5, 1.0, log=True), None),
    ],
)
def test_expressions_become_distributions(expression, distribution, values):
    parameter = one(expression)
    assert parameter.distribution == distribution
    assert repr(parameter.values) == repr(values)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("choice()", "an empty choice is not allowed"),
        ("interval(10, 1)", "the interval is reversed: 10 to 1"),
        ("interval(1, 1)", "a single value"),
        ("interval(1, inf)", "both ends must be finite"),
        ("interval(1)", "missing a required argument: 'end'"),
        ("tag(log, interval(0, 1))", "a log interval must start above 0, not at 0"),
        ("tag(log, interval(-1, 1))", "a log interval must start above 0, not at -1"),
        ("tag(log, int(interval(0, 9)))", "a log interval must start above 0, not at 0"),
        ("tag(q, interval(1, 2))", "unknown tag q, the only one is log"),
        ("tag(log, q=0.1, interval(1, 2))", "positional argument follows keyword argument"),
        ("tag(log, range(1, 5))", "tag log is for intervals only"),
        ("tag(log, choice(1, 5))", "tag log is for intervals only"),
        ("range(1, 5, 0)", "a step of 0 goes nowhere"),
        ("range(5, 1)", "the range is empty"),
        ("range(1, 1)", "the range is empty"),
        ("chioce(1, 2)", "unknown function chioce, did you mean 'choice'?"),
        ("loguniform(1, 2)", "unknown function loguniform (known: bool, choice"),
        ("choice(1, 2", "does not parse; is a bracket missing?"),
        ("interval(1, 2", "does not parse; is a bracket missing?"),
        ("glob(*)", "glob is not supported"),
        ("choice(1, 1)", "1 is listed twice"),
        ("choice(1, 2, 1.0)", "1.0 is listed twice, see 1"),
        ("choice([1, a], [1.0, a])", "[1.0,a] is listed twice, see [1,a]"),
        ("choice({a: 1, b: 2}, {b: 2, a: 1})", "{b:2,a:1} is listed twice, see {a:1,b:2}"),
        ("choice({1: a}, {2: b})", "1 is no key of a dict"),
        ("choice({null: a})", "None is no key of a dict"),
        ("choice({'x y': a})", "it does not parse"),
        ("choice([1, nan])", "nan is no finite number"),
        ("choice({a: inf})", "inf is no finite number"),
        ("sort(choice(1, a))", "its values cannot be compared ('str' and 'int')"),
        ("sort(choice(null, 1))", "its values cannot be compared"),
        ("sort([1], {a: 1})", "Invalid arguments"),
        ("shuffle(interval(0, 1))", "mismatch type argument"),
        ("int(choice(a, b))", "invalid literal for int()"),
        ("range(true)", "must be finite numbers"),
        ("range(0, inf)", "must be finite numbers"),
        ("range(0, 1, nan)", "must be finite numbers"),
        ("range(0, 1e9)", "1000000000 values are too many for a range"),
        ("range(1, 10, -1)", "the range is empty"),
        ("range(9007199254740990, 9007199254740999, 4)", "is too large"),
        ("int(interval(0, 1e30))", "is too large"),
        ("interval(-1e308, 1e308)", "the interval is too wide"),
        ("interval(nan, 1)", "both ends must be finite"),
        ("interval(a, 1)", "mismatch type argument"),
        ("int(interval(3.2, 3.8))", "a single value: 3 to 3"),
        ("choice(1, nan)", "nan is no finite number"),
        ("choice(choice(1, 2), 3)", "one search expression inside another"),
        ("choice(${seed}, 3)", "cannot be looked up"),
        ("0.1", "no search expression; write choice(...)"),
        ("[1, 2]", "no search expression; write choice(...)"),
        ("", "no search expression; write choice(...)"),
        (0.1, "no search expression; write choice(...)"),
        ([1, 2], "no search expression; write choice(...)"),
    ],
)
def test_bad_expressions_are_refused_in_one_line(expression, message):
    with pytest.raises(SpaceError) as error:
        Space.parse({"optimizer.lr": expression}, lambda name: f"the file of {name}")
    text = str(error.value)
    assert message in text
    assert text.startswith(f"space optimizer.lr = {expression}: ")
    assert text.endswith("(from the file of optimizer.lr)")
    assert "\n" not in text


def test_shuffling_is_the_same_every_time():
    first, second = one("shuffle(range(0, 20))").values, one("shuffle(range(0, 20))").values
    assert first == second
    assert sorted(first) == list(range(20)) != list(first)


def test_a_float_range_is_decoded_to_its_own_numbers():
    parameter = one("range(0, 1, 0.1)")
    assert [parameter.decode(0.1 * i) for i in range(10)] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "e  f", " x ", "\r\n", "None", "it's None", "日本\n"])
def test_what_stands_in_quotes_is_left_as_it_is(text):
    parameter = parse_parameter("x", f"choice( {value_text(text)},\n\tNone , 'b')")
    assert list(parameter.values or parameter.distribution.choices) == [text, None, "b"]
