"""The widths of a trial's epochs, as a word of its record."""

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.trial.widths import WIDTHS, facts_of_widths, widths_of


@pytest.mark.parametrize("widths", [[20], [20, 20, 19], [1, 1, 8, 1], [3, 2, 3]])
def test_there_and_back(widths):
    facts = facts_of_widths(widths)
    assert widths_of(facts[WIDTHS]) == widths


def test_equal_neighbours_are_counted():
    assert facts_of_widths([20, 20, 19, 20]) == {"fused_widths": "2*20 1*19 1*20"}


@pytest.mark.parametrize("widths", [[], [1], [1, 1, 1]])
def test_a_trial_that_was_alone_throughout_says_nothing(widths):
    assert facts_of_widths(widths) == {}


@pytest.mark.parametrize("fact", ["", "20", "2x20", "2*20 1*", "2*20,1*3", "2*-1"])
def test_anything_else_is_refused_with_its_value(fact):
    with pytest.raises(StorageError, match=r"fused_widths = .* must be words such as"):
        widths_of(fact)
