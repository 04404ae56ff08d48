import numpy as np
import pytest

from hpsearch.data.arrays import Arrays
from hpsearch.data.columns import ordering

N = 60
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=N)
SORTED = np.repeat([0, 1, 2], N // 3)


def found(column, y=SORTED, names=("a", "b", "c")):
    x = np.column_stack([NOISE, column])
    return ordering(Arrays(x, np.asarray(y), names, columns=("noise", "it")))


SHUFFLED = np.random.default_rng(1).permutation(N)


@pytest.mark.parametrize(
    ("column", "y", "counts"),
    {
        "an index of sorted rows": (np.arange(N), SORTED, True),
        "from another number on": (np.arange(N) + 10**15, SORTED, True),
        "of rows that were shuffled later": (SHUFFLED, SORTED[SHUFFLED], True),
        "with gaps": (np.cumsum(np.random.default_rng(2).integers(1, 9, N)), SORTED, True),
        "from last to first": (np.arange(N)[::-1], SORTED, True),
        "of two sorted files, one below the other": (np.arange(N), np.tile(np.repeat([0, 1, 2], N // 6), 2), True),
        "of rows in no order": (np.arange(N), np.random.default_rng(3).permutation(SORTED), False),
        "of rows in turn": (np.arange(N), np.arange(N) % 3, False),
        "a measurement that tells the classes": (SORTED + 0.3 * RANDOM.random(N), SORTED, False),
        "a few whole numbers": (SORTED, SORTED, False),
    }.values(),
)
def test_an_index_is_found_where_it_orders_the_classes(column, y, counts):
    assert found(column, y) == (("it",) if counts else ())


def test_an_index_that_orders_the_targets_is_found():
    target = np.sort(NOISE)
    assert found(np.arange(N), target, ()) == ("it",) and found(np.arange(N), NOISE, ()) == ()


def test_few_rows_and_images_have_no_index():
    assert ordering(Arrays(np.arange(8.0)[:, None], np.repeat([0, 1], 4), ("a", "b"))) == ()
    assert ordering(Arrays(np.arange(N).reshape(N, 1, 1, 1), SORTED, ("a", "b", "c"))) == ()
