"""Hydra's parser refuses by one kind of error."""

import pytest
from hydra.errors import HydraException

from hpsearch.base.override_parser import Parser, UnreadableError


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("9" * 5000, "4300 digits"),
        ("[" * 3000 + "]" * 3000, "nested too deeply"),
        ("[" * 200_000, "nested too deeply"),
        ("{a:" * 999 + "1" + "}" * 999, "nested"),
    ],
)
def test_what_python_cannot_hold_is_refused_as_what_does_not_parse(value, reason):
    with pytest.raises(UnreadableError, match=reason):
        Parser().parse_override(f"key={value}")
    with pytest.raises(HydraException, match=reason):
        Parser().parse_overrides([f"key={value}"])


def test_what_it_holds_is_parsed_as_before():
    assert Parser().parse_override("key=[1,{a:2.5}]").value() == [1, {"a": 2.5}]
    with pytest.raises(HydraException) as error:
        Parser().parse_override("key=[1")
    assert not isinstance(error.value, UnreadableError)
