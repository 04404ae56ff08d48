"""A few examples for every entry point, the same at every run; `all.py` tries thousands."""

import warnings

import pytest

from tests.faults.fuzz.entries import ENTRIES
from tests.faults.fuzz.harness import fuzz, lowered_limits

EXAMPLES = 25
NUMBERS = {"study files": 10, "overrides": 15, "npz": 120}
"""Examples of what composes a configuration several times each, and of what is seldom whole."""


@pytest.fixture(autouse=True)
def limits():
    with lowered_limits(), warnings.catch_warnings(action="ignore"):
        yield


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_is_read_as_it_means_or_refused_in_a_line(entry):
    examples = NUMBERS.get(entry.name, EXAMPLES)
    tally = fuzz(entry, examples, number=None)
    assert tally.examples >= examples and tally.accepted
