"""Conditional names: what is written, what is meant, what is refused."""

import pytest

from hpsearch.base.conditions import (
    Clause,
    closing,
    flat_entries,
    flat_name,
    normal_name,
    parts_outside,
    space_word,
    split_name,
    where_parts,
    where_text,
)
from hpsearch.base.errors import SpaceError

LENET = Clause("model", "=", ("lenet",))


@pytest.mark.parametrize(
    ("name", "key", "condition"),
    [
        ("optimizer.lr", "optimizer.lr", ()),
        ("model.hidden[0]", "model.hidden[0]", ()),
        ("model=lenet/model.kernel_size", "model.kernel_size", (LENET,)),
        ("model == lenet/k", "k", (LENET,)),
        ("model=a/optimizer=b/x", "x", (Clause("model", "=", ("a",)), Clause("optimizer", "=", ("b",)))),
        ("model.depth >= 3/model.skip", "model.skip", (Clause("model.depth", ">=", ("3",)),)),
        ("n<=1e-3/k", "k", (Clause("n", "<=", ("1e-3",)),)),
        ("n!=3/n<4/k", "k", (Clause("n", "!=", ("3",)), Clause("n", "<", ("4",)))),
        ("norm in [batch, layer]/g", "g", (Clause("norm", "in", ("batch", "layer")),)),
        ("n in (1, 2)/g", "g", (Clause("n", "in", ("1", "2")),)),
        ("path in ['a/b', c]/g", "g", (Clause("path", "in", ("'a/b'", "c")),)),
        ("hidden[0]>8/hidden[1]", "hidden[1]", (Clause("hidden[0]", ">", ("8",)),)),
    ],
)
def test_a_flat_name_is_conditions_and_a_key(name, key, condition):
    assert split_name(name) == (key, condition)
    assert split_name(flat_name(key, condition)) == (key, condition)
    assert normal_name(normal_name(name)) == normal_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *(
            (name, "CONDITION/key")
            for name in ("model=lenet", "model=/x", "=lenet/x", "model=lenet/y/x", "x/model=lenet")
        ),
        ("a in b/x", "CONDITION/key"),
        ("a===b/x", "CONDITION/key"),
        ("a>=big/x", "the condition a>=big compares with big, which is no number"),
        ("a<nan/x", "which is no number"),
        ("a in []/x", "the condition a in [] lists nothing"),
    ],
)
def test_a_malformed_condition_is_refused_in_one_line(name, message):
    with pytest.raises(SpaceError) as error:
        split_name(name)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ("a=lenet", ["lenet"], ["mlp", None, 3]),
        ("a=1", [1, 1.0, "1"], [True, 2, "one"]),
        ("a=1e-3", [0.001], [0.01]),
        ("a=true", [True, "true"], [1, False]),
        ("a=null", [None], [0]),
        ("a='b c'", ["b c"], ["b"]),
        ("a!=1", [2, "x", True], [1, 1.0]),
        ("a>=3", [3, 4.5], [2, True, "3", None]),
        ("a<=3", [3, -1.0], [3.1]),
        ("a>3", [3.1], [3]),
        ("a<3", [2], [3]),
        ("a in [1, x]", [1, 1.0, "x"], [2, "y"]),
    ],
)
def test_what_a_condition_holds_for(condition, yes, no):
    _, (clause,) = split_name(f"{condition}/k")
    assert [value for value in [*yes, *no] if clause.holds(value)] == yes


def test_tables_are_flattened_under_their_conditions():
    table = {"model": {"depth": "a", "depth>=3": {"skip": "b"}}, "n in [1,2]": {"where": ["c"], "k": "d"}, "x=1/y": "e"}
    assert dict(flat_entries({"a>1": {"b": {"c": "x"}}})) == {"a>1/b.c": "x"}
    assert list(flat_entries(table)) == [
        ("model.depth", "a"),
        ("depth>=3/model.skip", "b"),
        ("n in [1,2]/where", ["c"]),
        ("n in [1,2]/k", "d"),
        ("x=1/y", "e"),
    ]


def test_a_name_as_a_word():
    assert space_word("a>=3/b in [x, y]/c[0]", "choice(1)") == "space[a>=3][b in [x,y]].c[0]=choice(1)"


def test_parts_outside_brackets_and_quotes():
    assert parts_outside("a, [b, c], 'd, e', (f, {g, h})", ",") == ["a", "[b, c]", "'d, e'", "(f, {g, h})"]
    assert closing("[a[0]] b]", 0) == 5
    assert closing("['[' a", 0) == -1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[a % b == 0, c in [1, 2]]", ["a % b == 0", "c in [1, 2]"]),
        ("a[0] in [1, 2]", ["a[0] in [1, 2]"]),
        ("(a + b) * 2 < 3", ["(a + b) * 2 < 3"]),
        ("[\"a > 50\", 'b in [1, 2]']", ["a > 50", "b in [1, 2]"]),
        ("'a > 50'", ["a > 50"]),
        ("['a' == b, c == 'd']", ["'a' == b", "c == 'd'"]),
        ("['x' in [a], \"b != 'c'\"]", ["'x' in [a]", "b != 'c'"]),
        ("[]", []),
    ],
)
def test_constraints_of_a_text(text, parts):
    assert where_parts(text) == where_parts(where_text(text)) == where_parts(where_text(parts)) == parts
