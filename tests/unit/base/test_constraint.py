"""Constraints: Python's own arithmetic, nothing else of Python, one line for whatever is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.base.conditions import split_name
from hpsearch.base.constraint import Constraint
from hpsearch.base.errors import SpaceError


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9))
def test_it_is_pythons_arithmetic(a, b, c):
    values = {"a": a, "m.b": b, "h[0]": c}
    for text in (
        "a + m.b * h[0] >= 3",
        "-a // 2 - (m.b + 1) != h[0]",
        "a % 4 == m.b",
        "a < m.b <= h[0]",
        "a ** 2 > m.b",
        "a in [m.b, h[0] - 1, 3]",
        "a not in (1, 2)",
        "a / 2 == m.b",
    ):
        plain = text.replace("m.b", "b").replace("h[0]", "c")
        assert Constraint(text).holds(values) == eval(plain, {"a": a, "b": b, "c": c}), text


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("kind == 'batch'", "batch", True),
        ('kind in ["a b", "c"]', "a b", True),
        ("kind == true", True, True),
        ("kind != null", None, False),
        ("kind >= 1e-4", 2e-4, True),
        ("kind * .5 < 2.", 3, True),
        ("1 / kind > 0", 0, False),
        ("kind ** 2000 > 0", 2, True),
        ("((kind ** 1000) ** 1000) ** 1000 > 0", 9, False),
        ("2 ** kind > 0", 9**9, False),
        ("kind ** .5 < 3", -4, False),
    ],
)
def test_values_of_every_kind(text, value, holds):
    assert Constraint(text).holds({"kind": value}) is holds


def test_it_does_not_apply_where_a_key_is_inactive():
    assert Constraint("a > b").holds({"a": 1})
    conditional = Constraint("a > 3", split_name("kind=x/k")[1])
    assert conditional.holds({"a": 1, "kind": "y"}) and conditional.holds({"a": 1})
    assert not conditional.holds({"a": 1, "kind": "x"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "a: nothing is compared"),
        ("a +", "a +: it does not parse"),
        ("a = 1", "it does not parse"),
        ("a := 1", "it does not parse"),
        ("a == 1 and b == 2", "nothing is compared"),
        ("not a == 1", "nothing is compared"),
        ("len(a) == 1", "a call is not allowed"),
        ("__import__('os').system('x') == 0", "a call is not allowed"),
        ("().__class__ == 1", "an attribute is not allowed"),
        ("(a < b) < c", "a comparison inside another is not allowed"),
        ("[x for x in a] == 1", "is not allowed"),
        ("(a if b else c) == 1", "ifexp is not allowed"),
        ("a @ b == 1", "matmult is not allowed"),
        ("~a == 1", "invert is not allowed"),
        ("a is None", "is is not allowed here"),
        ("a in b", "in is not allowed here"),
        ("a == [1]", "eq is not allowed here"),
        ("a * 'x' == 1", "'x' is no number"),
        ("a < 'x'", "'x' is no number"),
        ("a == 1\nb", "it does not parse"),
        ("(" * 300 + "a" + ")" * 300 + " == 1", "it does not parse"),
        ("", "it does not parse"),
    ],
)
def test_everything_else_is_refused_in_one_line(text, message):
    with pytest.raises(SpaceError) as error:
        Constraint(text)
    assert message in str(error.value)


def test_its_keys_and_those_that_must_be_numbers():
    constraint = Constraint("model.lambda + h[0].w < 3 == kind")
    assert constraint.keys == ("model.lambda", "h[0].w", "kind")
    assert constraint.numeric == ("model.lambda", "h[0].w")


def test_keys_are_renamed_and_filled_in():
    constraint = Constraint("a % b == 0")
    assert constraint.renamed(lambda key: f"args.{key}").text == "args.a % args.b == 0"
    assert constraint.filled({"b": 4}).text == "a % 4 == 0"
    assert Constraint("k == c").filled({"c": "x y"}).holds({"k": "x y"})
    with pytest.raises(SpaceError, match=r"a % b == 0: b = \[1\] cannot be compared"):
        constraint.filled({"b": [1]})
