"""Nested dicts: flattened, compared, hashed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.base.plain import ABSENT, changes, copied, diff, flatten, get, list_of, put, same, stable_hash

LEAF = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text("ab", max_size=2)
TREES = st.recursive(
    st.dictionaries(st.sampled_from("abcd"), LEAF | st.lists(LEAF, max_size=2), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), LEAF | inner, max_size=3),
    max_leaves=6,
)


def applied(old, found):
    """Make the changes by hand."""
    new = copied(old)
    for change in found:
        *parents, last = change.key.split(".")
        node = new
        for part in parents:
            node = node.setdefault(part, {})
        if change.new is ABSENT:
            del node[last]
        else:
            node[last] = change.new
    return new


@given(TREES, TREES)
def test_changes_turn_one_into_the_other(old, new):
    assert same(applied(old, list(changes(old, new))), new)


@given(TREES)
def test_nothing_changes_between_equals(tree):
    assert list(changes(tree, copied(tree))) == []


def test_flatten_keeps_lists_and_empty_dicts():
    assert flatten({"a": {"b": [1, {"c": 2}], "d": {}}, "e": 3}) == {"a.b": [1, {"c": 2}], "a.d": {}, "e": 3}


def test_put_and_get():
    tree = {"a": {"b": 1}, "c": 2}
    put(tree, "a.b", [3])
    assert get(tree, "a.b") == [3]
    assert get(tree, "a.x") is ABSENT
    assert get(tree, "c.x") is ABSENT
    for key in ("a.x", "x", "c.x", "x.y"):
        with pytest.raises(KeyError):
            put(tree, key, 1)


def test_a_diff_is_one_line_per_difference():
    old = {"optimizer": {"lr": 0.1, "nesterov": True}, "gone": 1, "same": 2}
    new = {"optimizer": {"lr": 0.2, "nesterov": 1}, "same": 2, "here": [1, "x y"]}
    assert diff(old, new).splitlines() == [
        "optimizer.lr: 0.1 -> 0.2",
        "optimizer.nesterov: true -> 1",
        "here: (none) -> [1,'x y']",
        "gone: 1 -> (none)",
    ]
    assert diff(old, old) == ""
    assert diff({"space": {"a": {"model=x/y": 1}}}, {"space": {}}) == "space.a: {'model=x/y': 1} -> (none)"


def test_hashes_see_values_only():
    one = {"a": {"b": 1, "c": [0.5]}, "d": None}
    assert stable_hash(one) == stable_hash({"d": None, "a": {"c": [0.5], "b": 1.0}}) == "e555c78f507f5890"
    assert len({stable_hash({"a": value}) for value in (1, 2, True, None, "1", [1], 1.5)}) == 7


def test_elements_of_lists_are_read_and_set_by_their_place():
    config = {"model": {"hidden": [8, 16], "layers": [{"width": 4}]}}
    assert (get(config, "model.hidden[1]"), get(config, "model.layers[0].width")) == (16, 4)
    for key in ("model.hidden[2]", "model[0]", "model.layers[0].depth", "model.hidden.size", "model.hidden[0][0]"):
        assert get(config, key) is ABSENT
        with pytest.raises(KeyError):
            put(config, key, 1)
    put(config, "model.hidden[1]", 32)
    put(config, "model.layers[0].width", 5)
    assert config == {"model": {"hidden": [8, 32], "layers": [{"width": 5}]}}
    assert list_of("model.hidden[1]") == "model.hidden" and list_of("a.b") == "a.b"
