"""Every schedule of ours against its formula, written out anew."""

import functools
import math

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from hpsearch.base.errors import ConfigError
from hpsearch.schedules import formulas, table

LR, STEPS = 0.4, 200


def rows(function, per="step", momentum=0.9, warmup_steps=0, seed=0, **arguments):
    make = functools.partial(function, **arguments)
    return table(make, LR, momentum, 20, 10, per, warmup_steps, seed=seed)


def linear_cosine(t, total, periods=0.5, alpha=0.0, beta=0.001, noise=0.0):
    t = min(t, total)
    decayed = 0.5 * (1 + math.cos(math.pi * 2 * periods * t / total))
    return (alpha + (total - t) / total + noise) * decayed + beta


def cycling(t, period, power, end):
    turns = 1 if t == 0 else math.ceil(t / period)
    return (LR - end) * (1 - t / (period * turns)) ** power + end


CASES = {
    "polynomial, cycling": (
        formulas.polynomial_cycling,
        {"period": 30, "power": 2.0, "end_factor": 0.1},
        lambda t: cycling(t, 30, 2.0, 0.1 * LR),
    ),
    "linear cosine": (
        formulas.linear_cosine,
        {"total_iters": 150, "num_periods": 2.5, "alpha": 0.1, "beta": 0.01},
        lambda t: LR * linear_cosine(t, 150, 2.5, 0.1, 0.01),
    ),
    "noisy linear cosine without noise": (
        formulas.noisy_linear_cosine,
        {
            "total_iters": 150,
            "num_periods": 0.5,
            "alpha": 0.0,
            "beta": 0.001,
            "initial_variance": 0.0,
            "variance_decay": 0.55,
        },
        lambda t: LR * linear_cosine(t, 150),
    ),
    "piecewise constant": (
        formulas.piecewise_constant,
        {"milestones": [10, 60], "factors": [1.0, 0.5, 0.1]},
        lambda t: LR * (1.0 if t < 10 else 0.5 if t < 60 else 0.1),
    ),
    "expression": (
        formulas.expression,
        {"factor": "1 / (1 + epoch) if step < 100 else max(0.01, cos(pi * step / (2 * steps))) ** 2 / epochs"},
        lambda t: LR * (1 / (1 + t / 20) if t < 100 else max(0.01, math.cos(math.pi * t / 400)) ** 2 / 10),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_200_steps_are_the_formula(case):
    function, arguments, formula = CASES[case]
    expected = torch.tensor([formula(t) for t in range(STEPS)], dtype=torch.float64)
    torch.testing.assert_close(rows(function, **arguments).lr, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("case", [case for case in CASES if case != "expression"])
def test_behind_a_warm_up_it_is_the_formula_from_its_start(case):
    function, arguments, formula = CASES[case]
    expected = [formula(0) * (t + 1) / 26 for t in range(25)] + [formula(t - 25) for t in range(25, STEPS)]
    found = rows(function, warmup_steps=25, **arguments).lr
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-7)


def test_per_epoch_the_variables_of_an_expression_stand_still_within_an_epoch():
    found = rows(formulas.expression, per="epoch", factor="epoch + step / steps").lr
    expected = [LR * (t // 20 + 20 * (t // 20) / 200) for t in range(STEPS)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-7)


@functools.cache
def noisy(seed):
    arguments = {"num_periods": 0.5, "alpha": 0.0, "beta": 0.001, "variance_decay": 0.55}
    return rows(formulas.noisy_linear_cosine, seed=seed, total_iters=200, initial_variance=0.01, **arguments).lr


def test_noise_is_addressed_by_the_seed():
    again = noisy.__wrapped__(1)
    torch.rand(3)
    assert torch.equal(noisy(1), again)
    assert not torch.equal(noisy(1), noisy(2))


def test_noise_has_the_mean_and_the_variance_of_the_formula():
    values = torch.stack([noisy(seed) for seed in range(300)])
    for t in (0, 20, 90):
        clean = LR * linear_cosine(t, 200)
        spread = LR * 0.5 * (1 + math.cos(math.pi * t / 200)) * math.sqrt(0.01 / (1 + t) ** 0.55)
        assert values[:, t].mean().item() == pytest.approx(clean, abs=4 * spread / math.sqrt(300))
        assert values[:, t].std().item() == pytest.approx(spread, rel=0.2)


def test_noise_makes_no_rate_negative():
    arguments = {"num_periods": 0.5, "alpha": 0.0, "beta": 0.0, "variance_decay": 0.0, "initial_variance": 4.0}
    found = rows(formulas.noisy_linear_cosine, total_iters=200, **arguments).lr
    assert found.min() == 0 and found.max() > LR


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize("cycle_momentum", [False, True])
def test_cycles_are_torchs_between_a_share_and_the_rate(mode, cycle_momentum):
    arguments = {"step_size_up": 25, "step_size_down": 10, "mode": mode, "gamma": 0.99}
    arguments |= {"cycle_momentum": cycle_momentum, "base_momentum": 0.8, "max_momentum": 0.9}
    found = rows(formulas.cyclic, low=0.1, **arguments)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR, momentum=0.9)
    theirs = torch_schedulers.CyclicLR(optimizer, 0.1 * LR, LR, **arguments)
    for t in range(STEPS):
        group = optimizer.param_groups[0]
        assert found.lr[t].item() == pytest.approx(group["lr"], abs=1e-9)
        assert not cycle_momentum or found.momentum[t].item() == pytest.approx(group["momentum"], abs=1e-9)
        optimizer.step()
        theirs.step()
    assert (found.momentum is not None) == cycle_momentum


def test_without_a_size_there_are_four_cycles():
    arguments = {"mode": "triangular", "gamma": 1.0, "cycle_momentum": False}
    sizes = {"step_size_up": None, "step_size_down": None, "base_momentum": 0.8, "max_momentum": 0.9}
    found = rows(formulas.cyclic, low=0.0, **arguments, **sizes).lr
    assert ((found[1:-1] > found[:-2]) & (found[1:-1] > found[2:])).sum() == 4


ONE_CYCLE = {
    "pct_start": 0.3,
    "anneal_strategy": "cos",
    "cycle_momentum": True,
    "base_momentum": 0.85,
    "max_momentum": 0.95,
    "div_factor": 25.0,
    "final_div_factor": 1e4,
    "three_phase": False,
}


@pytest.mark.parametrize("changes", [{}, {"anneal_strategy": "linear"}, {"three_phase": True}])
def test_one_cycle_is_torchs_with_the_rate_as_its_top(changes):
    arguments = ONE_CYCLE | changes
    found = rows(formulas.one_cycle, total_steps=None, **arguments)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR, momentum=0.9)
    theirs = torch_schedulers.OneCycleLR(optimizer, LR, total_steps=STEPS, **arguments)
    for t in range(STEPS):
        group = optimizer.param_groups[0]
        assert found.lr[t].item() == pytest.approx(group["lr"], abs=1e-9)
        assert found.momentum[t].item() == pytest.approx(group["momentum"], abs=1e-9)
        optimizer.step()
        if t < STEPS - 1:
            theirs.step()


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(("total", "share"), [(2, 0.5), (3, 1 / 3), (10, 0.1), (1, 1.0)])
def test_one_cycle_rises_for_a_single_step_as_for_a_little_more(total, share, three_phase):
    """Torch divides by zero there; its own table of a rise longer by a millionth is next to ours."""
    arguments = ONE_CYCLE | {"three_phase": three_phase}
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR, momentum=0.9)
    with pytest.raises(ZeroDivisionError):
        torch_schedulers.OneCycleLR(optimizer, LR, total, **arguments | {"pct_start": share})

    def of(pct_start):
        make = functools.partial(formulas.one_cycle, total_steps=None, **arguments | {"pct_start": pct_start})
        return table(make, LR, 0.9, total, 1, "step")

    found, near = of(share), of(share * (1 + (1e-7 if total > 1 else -1e-7)))
    torch.testing.assert_close(found.lr, near.lr, rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(found.momentum, near.momentum, rtol=1e-5, atol=1e-9)
    assert found.lr[0].item() == pytest.approx(LR / 25 if total > 1 else LR / 25e4, rel=1e-6)


@pytest.mark.parametrize("momentum", [None, 0.0])
def test_one_cycle_without_a_momentum_is_refused_unless_told_not_to_cycle_it(momentum):
    with pytest.raises(ConfigError, match=r"^scheduler\.cycle_momentum = True: the optimizer has no momentum"):
        rows(formulas.one_cycle, momentum=momentum, total_steps=None, **ONE_CYCLE)
    found = rows(formulas.one_cycle, momentum=momentum, total_steps=None, **ONE_CYCLE | {"cycle_momentum": False})
    assert found.momentum is None


BAD = {
    "period": (formulas.polynomial_cycling, {"period": 0, "power": 1.0, "end_factor": 0.1}),
    r"milestones\[1\]": (formulas.piecewise_constant, {"milestones": [5, 5], "factors": [1, 1, 1]}),
    "pct_start": (formulas.one_cycle, ONE_CYCLE | {"total_steps": None, "pct_start": 2.0}),
    "mode": (formulas.cyclic, {"low": 0.1, "step_size_up": 2, "cycle_momentum": False, "mode": "square"}),
    "factors": (formulas.piecewise_constant, {"milestones": [5], "factors": [1]}),
    "factor": (formulas.expression, {"factor": "__import__('os').system('true')"}),
    "factor = '1 - step' at step 2": (formulas.expression, {"factor": "1 - step"}),
    "factor = '1 / step' at step 0": (formulas.expression, {"factor": "1 / step"}),
}


@pytest.mark.parametrize("key", BAD)
def test_a_bad_value_is_named(key):
    function, arguments = BAD[key]
    with pytest.raises(ConfigError, match=rf"scheduler\.{key}") as error:
        rows(function, **arguments)
    assert "\n" not in str(error.value)
