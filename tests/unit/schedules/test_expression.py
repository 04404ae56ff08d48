import math

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.schedules.expression import parse

GOOD = {
    "1": 1.0,
    "-step + 2.5": -0.5,
    "step // 2 * 2 + step % 2": 3.0,
    "2 ** step": 8.0,
    "exp(-epoch) + sqrt(4) * pi": math.exp(-1.5) + 2 * math.pi,
    "min(step, 2, 7) + max(0, epoch)": 3.5,
    "0.1 if step >= 3 else 1": 0.1,
    "floor(epoch) + ceil(epoch) + abs(-1) + tanh(0) + log(e)": 5.0,
}


@pytest.mark.parametrize("text", GOOD)
def test_arithmetic(text):
    assert parse("key", text, ("step", "epoch"))({"step": 3.0, "epoch": 1.5}) == pytest.approx(GOOD[text])


BAD = [
    "open('x')",
    "().__class__",
    "step.real",
    "[1][0]",
    "lambda: 1",
    "__import__('os')",
    "exp(x=1)",
    "unknown",
    "'a' * 9",
    "True",
    "(step := 2)",
    "1 < step < 2",
    "1 +",
    "",
    "f(1)",
    "exp.__call__(1)",
]


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(ConfigError, match=r"^key = .*\(allowed: step, pi, e, abs, ") as error:
        parse("key", text, ("step",))
    assert "\n" not in str(error.value)


def test_a_huge_power_is_an_error_and_not_a_long_wait():
    with pytest.raises(OverflowError):
        parse("key", "9 ** 9 ** 9", ())({})
