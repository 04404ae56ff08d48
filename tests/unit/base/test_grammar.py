"""Values written for Hydra are read again as the same values."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.base.grammar import shown_text, value_text

PARSER = OverridesParser.create()
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cc")))
    | st.text("ab'\\\"$ .:{[=,", max_size=8)
    | st.sampled_from([
        "null",
        "True",
        "1e-3",
        "inf",
        "",
        " a",
        "12:30",
        "a/b.c",
        "${seed}",
        "choice(1,2)",
        "--n",
        "-x",
        "-1",
        "--a-b=1",
        "-inf",
        "--a",
        "-e1",
    ])
    | st.text("-1aef.=", max_size=5)
)
VALUES = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(VALUES)
def test_hydra_reads_what_is_written(value):
    override = PARSER.parse_override(f"key={value_text(value)}")
    assert not override.is_sweep_override()
    assert repr(override.value()) == repr(value)


@pytest.mark.parametrize("value", [object(), {"a b": 1}, {1: 2}, {1, 2}])
def test_what_cannot_be_written_is_refused(value):
    with pytest.raises(TypeError):
        value_text(value)


def test_what_cannot_be_written_as_a_word_is_shown_all_the_same():
    assert shown_text([{"a b": 1}]) == "[{'a b': 1}]" and shown_text([{"a": 1}]) == "[{a:1}]"
