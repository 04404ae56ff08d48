"""Arguments of a function: values in, the best setting out."""

import numpy as np
import pytest

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.search.expression import parse_parameter
from hpsearch.study.arguments import arguments_of, expression_of, setting_in_args, written

VALUES = [
    [None, 3],
    [True, False],
    ["null", "None", "true", "1", "1e-3", "nan", "", " a, b ", "it's", 'say "no"', "x=1", "a/b", "back\\slash", "é"],
    [None, "None", True, "True", 1, "1", 0.5],
    [[1, 2], [3, None], [], [[True], "1"], [None]],
    [{"a": 1}, {"b": [None, "null"]}, {}],
    [1e-300, 1.7e308, -0.1, 10**15],
    [(1, 2), (3, (4, 5))],
]


@pytest.mark.parametrize("values", VALUES, ids=str)
def test_a_list_is_the_choice_of_its_values(values):
    wanted = [_as_lists(value) for value in values]
    found = parse_parameter("x", expression_of("x", values)).values
    assert list(found) == wanted
    assert [type(value) for value in found] == [type(value) for value in wanted]
    again = parse_parameter("x", parse_parameter("x", expression_of("x", tuple(values))).expression)
    assert list(again.values) == wanted  # as it is written down


def _as_lists(value):
    return [_as_lists(each) for each in value] if isinstance(value, tuple) else value


def test_values_of_numpy_are_those_of_python():
    found = parse_parameter("x", expression_of("x", [np.float32(0.5), np.int64(3), np.bool_(True)])).values
    assert found == (0.5, 3, True) and [type(value) for value in found] == [float, int, bool]


def test_what_is_no_list_is_left_as_it_is():
    assert expression_of("x", "choice(None, 3)") == "choice(None, 3)"


@pytest.mark.parametrize("value", [object(), {1: 2}, {1, 2}, lambda: None])
def test_a_value_that_no_configuration_holds_is_one_line(value):
    with pytest.raises(SpaceError, match=r"^space kind=a/x: .* cannot be written"):
        expression_of("kind=a/x", [1, value])


@pytest.mark.parametrize(("value", "kind"), [(np.ones(3), "ndarray"), ([{"a": {1, 2}}], "set"), (object(), "object")])
def test_an_argument_that_no_configuration_holds_is_one_line_that_says_what_to_do(value, kind):
    with pytest.raises(ConfigError, match=rf"^arguments\.x: holds a {kind}: must be None, .*functools\.partial"):
        written("arguments.x", value)
    assert written("arguments.x", np.int64(3)) == "3"
    assert setting_in_args({"lr": np.float32(0.5)}) == {"args.lr": 0.5}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("choice(None, 3)", (None, 3)),
        ("choice('None', None)", ("None", None)),
        ("choice([None, 'None'], [none])", ([None, "None"], ["none"])),
    ],
)
def test_null_may_be_written_as_in_python(expression, values):
    found = parse_parameter("x", expression)
    assert found.values == values
    assert parse_parameter("x", found.expression).values == values


@pytest.mark.parametrize(
    ("params", "searched", "given", "arguments"),
    [
        ({"args.x": 3}, ["x"], {}, {"x": 3}),
        ({"args.x": None}, ["x", "kind=b/depth"], {}, {"x": None, "depth": None}),
        ({"args.depth": 2}, ["kind=b/depth", "kind=c/depth", "where"], {}, {"depth": 2}),
        ({"args.h[0]": 1, "args.h[2]": 5}, ["h[0]", "h[2]"], {}, {"h": [1, None, 5]}),
        ({"args.h[1]": None}, ["h[1]"], {"h": [7, 8, 9]}, {"h": [7, None, 9]}),
        ({}, ["kind=b/h[1]"], {"h": [7, 8, 9]}, {"h": [7, 8, 9]}),
    ],
)  # fmt: skip
def test_a_point_is_what_the_function_is_called_with(params, searched, given, arguments):
    assert arguments_of(params, searched, given) == arguments
    assert given in ({}, {"h": [7, 8, 9]})


def test_constraints_name_arguments_and_become_one_text():
    assert expression_of("where", ["a % b == 0", "h[0] > 8"]) == "[args.a % args.b == 0, args.h[0] > 8]"
    assert expression_of("kind=x/where", "a in [1, 2]") == "[args.a in [1, 2]]"


@pytest.mark.parametrize("given", [3, [True], {"a": 1}, "a +", ["a"], ["f(a) == 1"]])
def test_what_is_no_constraint_is_one_line(given):
    with pytest.raises(SpaceError) as error:
        expression_of("where", given)
    assert str(error.value).startswith("space where") and "\n" not in str(error.value)
