"""Which functions are objectives of Optuna."""

import optuna
import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.objective import trial_argument


def bare(trial): ...
def annotated(t: optuna.Trial): ...
def of_the_module(t: optuna.trial.Trial, data: str): ...
def base(t: optuna.trial.BaseTrial): ...
def in_words(t: "optuna.trial.Trial"): ...
def in_short(t: "Trial"): ...  # noqa: F821
def optional(t: "Trial | None" = None): ...  # noqa: F821
def other(trial: int): ...
def with_default(trial=None): ...
def plain(lr, width): ...
def two(a: optuna.Trial, b: optuna.Trial): ...
def similar(study: "MyTrialRunner"): ...  # noqa: F821


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (bare, "trial"),
        (annotated, "t"),
        (of_the_module, "t"),
        (base, "t"),
        (in_words, "t"),
        (in_short, "t"),
        (optional, "t"),
        (other, None),
        (with_default, None),
        (plain, None),
        (similar, None),
    ],
)
def test_it_is_known_by_its_annotation_or_by_its_name(function, argument):
    assert trial_argument(function) == argument


def test_an_argument_of_that_name_that_is_searched_is_no_trial():
    assert trial_argument(bare, {"trial": 3}) is None


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(ConfigError, match="a and b are both annotated"):
        trial_argument(two)
    with pytest.raises(ConfigError, match="t is annotated as an Optuna trial: it cannot be searched or given"):
        trial_argument(annotated, {"t": 1})
