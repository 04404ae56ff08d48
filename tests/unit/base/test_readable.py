"""Text of a user's own code."""

import pytest

from hpsearch.base.readable import readable, representation


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("ü \x1b", "ü \x1b"), ("a \ud800\udfff b", r"a \ud800\udfff b"), ("\udcff", r"\udcff"), ("", "")],
)
def test_what_is_no_character_is_written_out(text, wanted):
    assert readable(text) == wanted


def test_of_a_long_text_both_ends_are_kept():
    assert readable("a" * 60 + "b" * 60, 100) == f"{'a' * 50} [... 20 characters are left out here ...] {'b' * 50}"
    assert readable("a" * 100, 100) == "a" * 100


class Unsaid:
    def __repr__(self):
        raise RuntimeError


def test_a_value_without_a_representation_is_named_by_its_type():
    assert (representation(Unsaid()), representation(10**5000), representation("\ud800")) == (
        "<Unsaid>",
        "<int>",
        r"'\ud800'",
    )
