"""What counts as a number where a user's own code says one."""

import decimal
import fractions
import math

import numpy as np
import pytest
import torch

from hpsearch.base.real import NO_NUMBER, number_of

NUMBERS = {
    "float": (0.5, 0.5),
    "nan": (math.nan, math.nan),
    "-inf": (-math.inf, -math.inf),
    "true": (True, 1.0),
    "larger than a float": (10**400, math.inf),
    "smaller than a float": (-(10**400), -math.inf),
    "a fraction that is too large": (fractions.Fraction(10**400), math.inf),
    "decimal": (decimal.Decimal("0.5"), 0.5),
    "NumPy's scalar": (np.float32(0.5), 0.5),
    "NumPy's nan": (np.float64("nan"), math.nan),
    "a long double that is too large": (np.longdouble("1e4000"), math.inf),
    "an array without axes": (np.array(3), 3.0),
    "an array of one": (np.array([0.5]), 0.5),
    "a masked element": (np.ma.masked, math.nan),
    "the mean of masked elements": (np.ma.masked_invalid([math.nan, math.nan]).mean(), math.nan),
    "a masked array's element": (np.ma.masked_array([0.5], [False]), 0.5),
    "0-d tensor": (torch.tensor(0.5, requires_grad=True), 0.5),
    "a tensor of bfloat16": (torch.tensor([0.5], dtype=torch.bfloat16), 0.5),
    "a tensor's nan": (torch.tensor(math.nan), math.nan),
}
NONE = {
    "none": None,
    "text": "0.5",
    "bytes": b"0.5",
    "complex": 1 + 0j,
    "complex tensor": torch.tensor(1 + 2j),
    "NumPy's text": np.array("0.5"),
    "an array of two": np.array([0.5, 0.6]),
    "a tensor of two": torch.zeros(2),
    "a tensor without numbers": torch.zeros((), device="meta"),
    "a date": np.datetime64("2026-01-01"),
    "a list": [0.5],
    "a mapping": {"acc": 0.5},
    "a function": len,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_what_has_one_value(name):
    value, number = NUMBERS[name]
    assert type(found := number_of(value)) is float and found == pytest.approx(number, nan_ok=True)


@pytest.mark.parametrize("name", NONE)
def test_anything_else_is_none(name):
    with pytest.raises(NO_NUMBER):
        number_of(NONE[name])
