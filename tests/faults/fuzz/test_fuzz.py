"""A few examples for every entry point, the same at every run; `all.py` tries thousands."""

import warnings

import pytest

from tests.faults.fuzz.entries import ENTRIES
from tests.faults.fuzz.harness import fuzz, lowered_limits

EXAMPLES = 25


@pytest.fixture(autouse=True)
def limits():
    with lowered_limits(), warnings.catch_warnings(action="ignore"):
        yield


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_is_read_as_it_means_or_refused_in_a_line(entry):
    tally = fuzz(entry, EXAMPLES, number=None)
    assert tally.examples >= EXAMPLES and tally.accepted
