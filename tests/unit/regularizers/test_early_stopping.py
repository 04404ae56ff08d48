import math

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.regularizers import EarlyStopping


def stopped_at(values, maximize=False, **fields):
    rule = EarlyStopping(**fields)
    return next((count for count in range(len(values) + 1) if rule.stops(values[:count], maximize)), None)


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
    ("field", "value"), [("patience", 0), ("patience", 1.5), ("min_delta", -0.1), ("restore_best", "yes")]
)
def test_a_bad_field_is_named(field, value):
    with pytest.raises(ConfigError, match=rf"^regularizer\.early_stopping\.{field} = "):
        EarlyStopping(**{field: value})
