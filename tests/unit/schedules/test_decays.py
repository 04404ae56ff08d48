"""Every decay against its formula, written out anew, and against torch's where torch has it."""

import functools
import math

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from hpsearch.base.errors import ConfigError
from hpsearch.schedules import decays, table

LR, STEPS = 0.4, 200
PLAIN = {"decay_steps": 1, "staircase": False}


def rows(make, lr=LR, warmup_steps=0):
    return table(make, lr, 0.9, 20, 10, "step", warmup_steps).lr


def restarts(t, first, factor):
    length = first
    while t >= length:
        t, length = t - length, length * factor
    return 0.1 + 0.9 * (1 + math.cos(math.pi * t / length)) / 2


CASES = {
    "exponential": (
        functools.partial(decays.exponential, gamma=0.9, decay_steps=7, staircase=False),
        lambda t: 0.9 ** (t / 7),
    ),
    "exponential, staircase": (
        functools.partial(decays.exponential, gamma=0.9, decay_steps=7, staircase=True),
        lambda t: 0.9 ** math.floor(t / 7),
    ),
    "natural exponential": (
        functools.partial(decays.natural_exponential, rate=0.03, **PLAIN),
        lambda t: math.exp(-0.03 * t),
    ),
    "natural exponential, staircase": (
        functools.partial(decays.natural_exponential, rate=0.3, decay_steps=10, staircase=True),
        lambda t: math.exp(-0.3 * math.floor(t / 10)),
    ),
    "inverse time": (functools.partial(decays.inverse_time, a=3.0, b=7.0, **PLAIN), lambda t: 3 / (7 + t)),
    "inverse time as TensorFlow writes it": (
        functools.partial(decays.inverse_time, a=2.0, b=2.0, decay_steps=10, staircase=True),
        lambda t: 1 / (1 + 0.5 * math.floor(t / 10)),
    ),
    "polynomial to a rate": (
        functools.partial(decays.polynomial, total_iters=150, power=2.0, end_factor=0.1),
        lambda t: 0.9 * (1 - min(t, 150) / 150) ** 2 + 0.1,
    ),
    "cosine to a rate": (
        functools.partial(decays.cosine, T_max=150, min_factor=0.1),
        lambda t: 0.1 + 0.45 * (1 + math.cos(math.pi * min(t, 150) / 150)),
    ),
    "cosine with restarts": (
        functools.partial(decays.cosine_restarts, T_0=20, T_mult=2, min_factor=0.1),
        lambda t: restarts(t, 20, 2),
    ),
}


@pytest.mark.parametrize("lr", [LR, 3e-4])
@pytest.mark.parametrize("case", CASES)
def test_200_steps_are_the_formula_whatever_the_rate(case, lr):
    make, factor = CASES[case]
    expected = torch.tensor([lr * factor(t) for t in range(STEPS)], dtype=torch.float64)
    torch.testing.assert_close(rows(make, lr), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_behind_a_warm_up_it_is_the_formula_from_its_start(case):
    make, factor = CASES[case]
    expected = [LR * factor(0) * (t + 1) / 26 for t in range(25)] + [LR * factor(t - 25) for t in range(25, STEPS)]
    found = rows(make, warmup_steps=25)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=0)


TORCHS = {
    "exponential": (
        functools.partial(decays.exponential, gamma=0.97, **PLAIN),
        functools.partial(torch_schedulers.ExponentialLR, gamma=0.97),
    ),
    "staircase": (
        functools.partial(decays.exponential, gamma=0.5, decay_steps=30, staircase=True),
        functools.partial(torch_schedulers.StepLR, step_size=30, gamma=0.5),
    ),
    "polynomial": (
        functools.partial(decays.polynomial, total_iters=120, power=3.0, end_factor=0.0),
        functools.partial(torch_schedulers.PolynomialLR, total_iters=120, power=3.0),
    ),
    "polynomial of degree 1": (
        functools.partial(decays.polynomial, total_iters=120, power=1.0, end_factor=0.2),
        functools.partial(torch_schedulers.LinearLR, start_factor=1.0, end_factor=0.2, total_iters=120),
    ),
    "cosine": (
        functools.partial(decays.cosine, T_max=200, min_factor=0.25),
        functools.partial(torch_schedulers.CosineAnnealingLR, T_max=200, eta_min=0.1),
    ),
}


@pytest.mark.parametrize("case", TORCHS)
def test_it_is_torchs_where_torch_has_it(case):
    ours, theirs = TORCHS[case]
    torch.testing.assert_close(rows(ours), rows(theirs), rtol=0, atol=1e-12)


def test_a_cosine_that_is_over_stays_where_torchs_rises_again():
    ours = rows(functools.partial(decays.cosine, T_max=50, min_factor=0.0))
    theirs = rows(functools.partial(torch_schedulers.CosineAnnealingLR, T_max=50))
    assert torch.equal(ours[:50], theirs[:50])  # bit for bit
    assert ours[50:].tolist() == [0.0] * 150 and theirs[100].item() == pytest.approx(LR)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (functools.partial(decays.cosine, T_max=5, min_factor=2.0), r"scheduler\.min_factor = 2\.0"),
        (functools.partial(decays.polynomial, total_iters=5, power=1.0, end_factor=-1.0), r"scheduler\.end_factor"),
        (functools.partial(decays.exponential, gamma=0.5, decay_steps=0.5, staircase=True), r"scheduler\.decay_steps"),
        (functools.partial(decays.inverse_time, a=1.0, b=1.0, decay_steps=1, staircase="no"), r"scheduler\.staircase"),
    ],
)
def test_a_bad_constant_is_named(make, message):
    with pytest.raises(ConfigError, match=message):
        rows(make)
