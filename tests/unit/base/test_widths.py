"""The widths of a trial's epochs, as a word of its record."""

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.base.widths import WIDTHS, facts_of_widths, fuse_words, widths_of


@pytest.mark.parametrize("widths", [[20], [20, 20, 19], [0, 0, 8, 0], [3, 2, 3]])
def test_there_and_back(widths):
    facts = facts_of_widths(widths)
    assert widths_of(facts[WIDTHS], len(widths)) == widths


def test_equal_neighbours_are_counted():
    assert facts_of_widths([20, 20, 19, 20]) == {"fused_widths": "2*20 1*19 1*20"}


@pytest.mark.parametrize("widths", [[], [0], [0, 0, 0]])
def test_a_trial_that_was_alone_throughout_says_nothing(widths):
    assert facts_of_widths(widths) == {}


@pytest.mark.parametrize("fact", ["", "2x20", "2*20 1*", "2*20,1*3", "2*-1"])
def test_anything_else_is_refused_with_its_value(fact):
    with pytest.raises(StorageError, match=r"fused_widths = .* must be words such as"):
        widths_of(fact, 3)


def test_a_number_holds_for_every_epoch():
    assert widths_of("20", 3) == [20, 20, 20]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ()),
        (facts_of_widths([20, 20]), ("launcher.fuse=8",)),
        (facts_of_widths([20, 3]), ("launcher.fuse=8",)),
        (facts_of_widths([20, 0]), None),
        (facts_of_widths([20, 20], "cuda"), ("launcher.fuse=20",)),
        (facts_of_widths([20, 19], "cuda"), None),
    ],
)
def test_a_command_takes_the_path_of_its_trial_or_the_record_does(facts, words):
    assert fuse_words(facts) == words
