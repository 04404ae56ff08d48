import functools
import math

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from hpsearch.base.errors import ConfigError
from hpsearch.schedules.plateau import HalveWhenFlat, Plateau, ReduceOnPlateau, follows_a_metric, with_mode

VALUES = [1.0, 0.8, 0.79, 0.81, 0.8, 0.85, math.nan, 0.5, 0.5, 0.5, 0.5, 0.5, 0.49999]


@pytest.mark.parametrize(
    "arguments", [{"patience": 1}, {"mode": "max"}, {"patience": 0, "cooldown": 2, "min_lr": 0.05}]
)
def test_the_factor_is_torchs_after_every_value(arguments):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    theirs = ReduceLROnPlateau(optimizer, **arguments)
    ours = Plateau(functools.partial(ReduceLROnPlateau, **arguments), 0.4, "valid/loss")
    for count, value in enumerate(VALUES, 1):
        theirs.step(value)
        assert 0.4 * ours.factor(VALUES[:count]) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)


def test_before_the_first_value_it_changes_nothing():
    assert Plateau(functools.partial(ReduceLROnPlateau), 0.1, "valid/loss").factor([]) == 1


def test_the_rate_is_halved_when_the_metric_hardly_changes():
    plateau = Plateau(functools.partial(HalveWhenFlat, factor=0.5, threshold=0.1, min_factor=0.125), 0.4, "valid/loss")
    factors = [plateau.factor([1.0, 2.0, 2.05, 2.0, 1.0, 1.0, 1.0][:count]) for count in range(8)]
    assert factors == [1, 1, 1, 0.5, 0.25, 0.25, 0.125, 0.125]


def test_which_schedulers_follow_a_metric():
    assert follows_a_metric(functools.partial(ReduceLROnPlateau)) and follows_a_metric(functools.partial(HalveWhenFlat))
    assert not follows_a_metric(functools.partial(StepLR, step_size=1))


def test_a_mode_that_is_null_is_the_objectives():
    make = functools.partial(ReduceLROnPlateau, mode=None)
    assert [with_mode(make, maximize).keywords["mode"] for maximize in (True, False)] == ["max", "min"]
    given = functools.partial(ReduceLROnPlateau, mode="min")
    assert with_mode(given, True).keywords["mode"] == "min"


@pytest.mark.parametrize(
    "make",
    [
        functools.partial(ReduceLROnPlateau, factor=2.0),
        functools.partial(ReduceLROnPlateau, mode="up"),
        functools.partial(HalveWhenFlat, factor=1.0),
    ],
)
def test_what_torch_refuses_is_one_line(make):
    with pytest.raises(ConfigError, match=r"^scheduler") as error:
        Plateau(make, 0.1, "valid/loss")
    assert "\n" not in str(error.value)


def test_the_floor_of_a_plateau_follows_the_rate_and_a_small_rate_falls_too():
    for lr in (0.4, 4e-9):
        plateau = Plateau(functools.partial(ReduceOnPlateau, patience=0, factor=0.1, min_factor=0.02), lr, "valid/loss")
        assert plateau.factor([1.0] * 2) == pytest.approx(0.1)
        assert plateau.factor([1.0] * 9) == pytest.approx(0.02)
