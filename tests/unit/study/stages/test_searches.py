"""What the stages coarse and fine search: the rates that train, within the limits given; few of many to the end."""

from types import SimpleNamespace

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.study.stages.coarse import Coarse
from hpsearch.study.stages.fine import Fine

CONFIG = {"seed": 3, "trainer": {"epochs": 10}}


class Asked(Exception):
    """Ends a stage where it searches."""


def searched(stage, **context):
    """Return the words and the space of a stage's search, and what it said."""
    said = []

    def search(name, words, space):
        raise Asked(words, space)

    given = SimpleNamespace(search=search, line=said.append, config=lambda: CONFIG, **context)
    with pytest.raises(Asked) as asked:
        stage.run(given)
    return *asked.value.args, said


def coarse(expression, found=(1e-3, 0.5)):
    _, space, said = searched(Coarse(), space={"optimizer.lr": expression}, handed={"lr_range": list(found)})
    return space["optimizer.lr"], said


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("tag(log, interval(1e-5, 10))", "tag(log, interval(0.001, 0.5))"),
        ("tag(log, interval(1e-2, 10))", "tag(log, interval(0.01, 0.5))"),
        ("tag(log, interval(1e-5, 0.1))", "tag(log, interval(0.001, 0.1))"),
        ("choice(1e-4, 0.01, 0.1, 1)", "choice(0.01, 0.1)"),
    ],
)
def test_coarse_takes_the_rates_that_train_within_the_limits_given(expression, kept):
    assert coarse(expression) == (kept, [])


@pytest.mark.parametrize("expression", ["tag(log, interval(1, 10))", "choice(1, 10)"])
def test_limits_without_a_rate_that_trains_stay_and_that_is_said(expression):
    kept, said = coarse(expression)
    assert kept == expression
    assert said == [f"coarse: no rate of optimizer.lr={expression} lies from 0.001 to 0.5, so all stay"]


def test_rates_that_are_not_searched_are_not_added():
    _, space, _ = searched(Coarse(), space={"model.dropout": "interval(0, 0.5)"}, handed={"lr_range": [1e-3, 0.5]})
    assert space == {"model.dropout": "interval(0, 0.5)"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["pruner=top_k_after", "pruner.epochs=2", "pruner.k=4", "trainer.epochs=10", "seed=4"]),
        ({"epochs": 21, "promote": 6}, ["pruner=top_k_after", "pruner.epochs=5", "pruner.k=6", "trainer.epochs=21"]),
        ({"promote": None}, ["pruner=none", "trainer.epochs=10"]),
        ({"points": 4}, ["pruner=none"]),
        ({"epochs": 1}, ["pruner=none"]),
    ],
)
def test_fine_lets_the_best_go_on_to_the_end(options, words):
    asked, _, _ = searched(Fine(**options), handed={"fine_space": {"optimizer.lr": "interval(0.01, 0.1)"}})
    assert set(words) <= set(asked)
    assert sum(word.startswith("pruner") for word in asked) == sum(word.startswith("pruner") for word in words)


def test_candidates_must_be_among_those_that_train_to_the_end():
    with pytest.raises(ConfigError, match=r"stages\.fine\.promote = 2: must be at least stages\.fine\.keep = 3"):
        Fine(promote=2)
    with pytest.raises(ConfigError, match=r"stages\.fine\.screen"):
        Fine(screen=1.0)
