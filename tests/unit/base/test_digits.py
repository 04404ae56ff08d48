"""How many digits tell numbers apart."""

import math

import numpy as np
import pytest

from hpsearch.base import words
from hpsearch.base.digits import Digits

CLOSE = (0.123456789012, 0.123456789013)


@pytest.mark.parametrize(
    ("value", "beside", "text"),
    [
        (0.9995, (0.9, 0.99), "0.9995"),
        (0.9, (0.99, 0.9995), "0.9"),
        (0.99953712, (), "0.9995"),
        (0.99999996, (), "0.99999996"),
        (1.00043217, (), "1.0004"),
        (0.0031622776, (0.01, 0.001), "0.00316"),
        (0.0031622776, (0.0031641,), "0.003162"),
        (0.10000000000000002, (0.1, 0.2), "0.1"),
        (CLOSE[0], CLOSE, "0.123456789012"),
        (CLOSE[1], CLOSE, "0.123456789013"),
        (-0.9995123, (-0.9995321,), "-0.99951"),
        (1024.0, (1025,), "1024"),
        (12345.6, (12345.7,), "12345.6"),
        (12345.67, (), "12346"),
        (1048576, (1048577,), "1048576"),
        (123456789012, (123456789013,), "123456789012"),
        (123456789012.0, (123456789013.0,), "123456789012"),
        (1e6, (1e7,), "1e+06"),
        (1e-5, (2e-5,), "1e-05"),
        (5e-324, (), "4.9407e-324"),
    ],
)
def test_a_number_has_the_digits_that_its_neighbours_ask_for(value, beside, text):
    assert Digits.of(beside).write(value) == text


@pytest.mark.parametrize("seed", range(20))
def test_no_number_can_be_read_as_another(seed):
    rng = np.random.default_rng(seed)
    values = [*rng.random(30), *(1 - 10 ** rng.uniform(-9, -1, 20)), *(0.5 + 10 ** rng.uniform(-12, -1, 20)), 1.0, 0.0]
    digits = Digits.of(values)
    for value in values:
        read = float(digits.write(float(value)))
        assert min(values, key=lambda other: abs(read - other)) == value
    assert len({digits.write(float(value)) for value in values}) == len(set(values))


def test_what_is_no_number_is_beside_nothing():
    assert Digits.of([None, True, "relu", math.nan, math.inf, 10**400]).others == Digits().others


def test_a_setting_knows_the_values_of_other_points():
    params = {"optimizer.momentum": 0.99951, "model.act": "relu"}
    told = words.Setting(params, {"optimizer.momentum": Digits.of([0.99951, 0.999512])})
    assert words.settings(told) == "momentum 0.99951, model.act = relu"
    close = words.Setting({"a": 0.3333333, "b": None, "c": -0.25}, {"a": Digits.of([0.3333333, 0.3333334])})
    assert words.settings(close) == "a = 0.3333333, b = none, c = −0.25"
    assert words.assignments(close) == "a=0.3333333 b=null c=-0.25"
    assert words.settings(dict(close)) == "a = 0.333, b = none, c = −0.25"


def test_a_share_below_1_is_not_written_as_1():
    assert words.score(0.9998) == "0.9998"
    assert words.score(0.99996, 0.01) == "0.99996 ± 0.01000"
    assert words.score(0.9994) == "0.999"
    assert (words.score(1.0), words.score(1.0002)) == ("1.00", "1.00")


def test_exact_numbers_have_all_digits():
    assert [words.exact(v) for v in (0.1, 0.123456, -1 / 3, 3, None, math.inf)] == [
        "0.1", "0.123456", "−0.3333333333333333", "3", "none", "inf",
    ]  # fmt: skip


def test_text_that_looks_like_another_value_stands_in_quotes():
    values = ["1", 1, "none", None, "a\nb", "a b", "a\tb", "", " x", "é", 0.5, "0.5", True, "true", "tru"]
    digits = Digits.of(values)
    assert [words.number(value, digits) for value in values] == [
        '"1"', "1", '"none"', "none", "a\\nb", "a b", "a\\tb", '""', '" x"', "é",
        "0.5", '"0.5"', "true", '"true"', "tru",
    ]  # fmt: skip
    told = words.Setting({"kind": "a\tb"}, {"kind": digits})
    assert (words.settings(told), words.setting("kind", "1", digits)) == ("kind = a\\tb", 'kind = "1"')
    assert (words.number("1"), words.number("a\tb")) == ("1", "a\tb")


def test_points_are_told_apart():
    first, second, third = words.told_apart([{"a": 0.1234561, "b": "1"}, {"a": 0.1234562, "b": 1}, {"a": 3.0}])
    assert [words.settings(each) for each in (first, second, third)] == [
        'a = 0.1234561, b = "1"', "a = 0.1234562, b = 1", "a = 3",
    ]  # fmt: skip
    assert words.settings(first.without(["a"])) == 'b = "1"'
