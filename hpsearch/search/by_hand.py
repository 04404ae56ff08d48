"""Points that a user gives up or adds: what becomes of them, in the Optuna study and on record."""

import random
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.errors import SpaceError, StorageError
from hpsearch.base.grammar import value_text
from hpsearch.search.optuna_internals import given_params, set_user_attr, start_queued
from hpsearch.search.space import Space

SKIPPED = "skipped"
"""User attribute of an Optuna trial that has not ended: it is given up."""


def give_up(study: optuna.Study, number: int) -> FrozenTrial:
    """Mark a point of an Optuna study as given up.

    Args:
        study: that holds it.
        number: of the point.

    Returns:
        The point as it was.

    Raises:
        StorageError: there is none of this number, or it has ended.
    """
    trials = study.get_trials(deepcopy=False)
    if number >= len(trials):
        raise StorageError(f"point {number} is not given up: the study has {len(trials)} points so far")
    frozen = trials[number]
    if frozen.state.is_finished():
        raise StorageError(f"point {number} is not given up: it has ended")
    set_user_attr(study, frozen, SKIPPED, True)
    return frozen


def added(study: optuna.Study, space: Space, params: Mapping[str, Any]) -> FrozenTrial:
    """Add a point to an Optuna study, as one that was just asked.

    Args:
        study: that it is added to.
        space: the present ranges.
        params: a value for every active hyperparameter, by dotted key.

    Returns:
        The point, which is running: the one with these values that waits in a queue, else a new one.

    Raises:
        SpaceError: it is none of the space, or was asked for before.
    """
    cell = space.cell(params)
    key = space.key(cell)
    for trial in study.get_trials(deepcopy=False):
        if space.key(given_params(trial)) != key or SKIPPED in trial.user_attrs:
            continue
        if trial.state is not TrialState.WAITING:
            raise SpaceError(f"{shown(params)}: point {trial.number} has these values")
        start_queued(study, trial)
        return study.get_trials(deepcopy=False)[trial.number]
    number = len(study.get_trials(deepcopy=False))
    study.add_trial(
        optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params={**space.draw(random.Random(number)), **cell},
            distributions=space.distributions(),
        )
    )
    return study.get_trials(deepcopy=False)[number]


def shown(params: Mapping[str, Any]) -> str:
    """Return hyperparameters as they are written on a command line."""
    return ", ".join(f"{key}={value_text(value)}" for key, value in params.items())
