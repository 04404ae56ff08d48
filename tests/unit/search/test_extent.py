"""How much a search has asked for, in words."""

import pytest

from hpsearch.search.extent import Extent


@pytest.mark.parametrize(
    ("cells", "further", "given_up", "said"),
    [
        (8, 0, 0, "all 8 cells of the grid are done"),
        (1, 0, 0, "the 1 cell of the grid is done"),
        (1, 0, 1, "the 1 cell of the grid was given up by hand"),
        (8, 0, 1, "all 8 cells of the grid have ended, 1 of them given up by hand"),
        (8, 1, 0, "all 8 cells of the grid and 1 further point are done"),
        (1, 2, 0, "the 1 cell of the grid and 2 further points are done"),
        (1, 2, 3, "the 1 cell of the grid and 2 further points have ended, 3 of them given up by hand"),
    ],
)
def test_what_became_of_all_there_was_to_try(cells, further, given_up, said):
    assert Extent("cell", "the grid", cells, cells, further, given_up).at_the_end == said


def test_how_far_a_search_came():
    assert Extent("point", "the space", 72, 60).so_far == "60 of 72 points of the space"
    assert Extent("point", "the list", 1, 0, 2).so_far == "0 of 1 point of the list and 2 further points"


@pytest.mark.parametrize(
    ("further", "given_up", "so_far", "at_the_end"),
    [
        (2, 0, "2 points", "all 2 points are done"),
        (1, 0, "1 point", "the 1 point is done"),
        (2, 1, "2 points", "all 2 points have ended, 1 of them given up by hand"),
    ],
)
def test_of_an_empty_list_only_what_was_tried_beside_it_is_said(further, given_up, so_far, at_the_end):
    extent = Extent("point", "the list", 0, 0, further, given_up)
    assert (extent.so_far, extent.at_the_end) == (so_far, at_the_end)
