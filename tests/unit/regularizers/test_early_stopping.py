import math

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.regularizers import EarlyStopping


def stopped_at(values, maximize=False, every=1, **fields):
    """Return the epoch at which it ends a curve of evaluations `every` so many epochs, None where it does not."""
    rule = EarlyStopping(**fields)
    for count in range(len(values) + 1):
        if rule.stops({every * place: value for place, value in enumerate(values[:count], 1)}, maximize):
            return every * count
    return None


@pytest.mark.parametrize(
    ("values", "fields", "epoch"),
    [
        ([3, 2, 1, 0, -1], {"patience": 1}, None),
        ([3, 2, 2, 2], {"patience": 2}, 4),
        ([3, 2, 2.5, 1.9, 2, 2], {"patience": 2}, 6),
        ([3, 2.95, 2.89, 2.8], {"patience": 2, "min_delta": 0.1}, None),  # falls by .11 in two steps
        ([3, 2.95, 2.91, 2.8], {"patience": 2, "min_delta": 0.1}, 3),
        ([math.nan, math.nan], {"patience": 2}, 2),
        ([3, math.nan, 2, math.nan, math.nan], {"patience": 2}, 5),
    ],
)
def test_when_it_stops(values, fields, epoch):
    assert stopped_at(values, **fields) == epoch
    assert stopped_at([-value for value in values], maximize=True, **fields) == epoch


@pytest.mark.parametrize(
    ("every", "epoch"),
    [(0.25, 2.5), (0.5, 3), (1, 4), (2, 6), (3, 9)],  # the second value is the best, and patience is 2 epochs
)
def test_patience_counts_epochs_however_often_is_evaluated(every, epoch):
    assert stopped_at([3, 2] + [2.5] * 20, every=every, patience=2) == epoch


@pytest.mark.parametrize(
    ("field", "value"), [("patience", 0), ("patience", 1.5), ("min_delta", -0.1), ("restore_best", "yes")]
)
def test_a_bad_field_is_named(field, value):
    with pytest.raises(ConfigError, match=rf"^regularizer\.early_stopping\.{field} = "):
        EarlyStopping(**{field: value})
