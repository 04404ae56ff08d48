"""Going on with a search in another space, of which every earlier point is one too."""

import random
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import TrialState

from hpsearch.base.widening import Widening
from hpsearch.search.ask_tell import UNPROVEN
from hpsearch.search.extension import SPACE, ends_of, is_log, rewritten, successor, widened
from hpsearch.search.prior import PRIOR
from hpsearch.search.space import Space

GIVEN = "given"
"""User attribute of an Optuna study: the ranges that the user gave it, before any was widened."""
_OF_THE_OLD_SPACE = (PRIOR, UNPROVEN, SPACE, GIVEN)


def reaching(space: Space, present: Space, given: Space) -> Space:
    """Return a space that reaches as far as the search did, which may have widened ranges by itself.

    Args:
        space: the new one.
        present: the ranges so far.
        given: those that the user had given.
    """
    before = {parameter.name: parameter.expression for parameter in given.parameters}
    so_far = {parameter.name: parameter for parameter in present.parameters}
    further = []
    for parameter in space.parameters:
        own = so_far.get(parameter.name)
        if own is None or own.expression == before.get(parameter.name) or own.values or parameter.values:
            continue
        if is_log(own) == is_log(parameter):
            old, reached = ends_of(parameter), ends_of(own)
            new = (min(old[0], reached[0]), max(old[1], reached[1]))
            further += [Widening(parameter.name, parameter.key, side, old, new, old[0]) for side in ("low", "high")]
    return widened(space, further)


def regrown(
    study: optuna.Study, name: str, given: Space, space: Space, points: Mapping[int, Mapping[str, Any]]
) -> optuna.Study:
    """Return a new Optuna study with every point of another that was asked, in another space.

    Args:
        study: its points keep their numbers, states, scores, reports and attributes; what is queued is left out.
        name: of the search; the new study is called after it.
        given: the new space as the user gave it.
        space: the new space, which reaches as far as the search did.
        points: hyperparameters in the new space by dotted key, of every point that was asked, by its number.

    Returns:
        The new study, without a sampler of its own.
    """
    new, distributions = successor(study, name), space.distributions()
    for trial in study.get_trials(deepcopy=False):
        if trial.state is not TrialState.WAITING:
            params = {**space.draw(random.Random(trial.number)), **space.flat(points[trial.number])}
            new.add_trial(rewritten(trial, params, distributions))
    for key, value in study.user_attrs.items():
        if key not in _OF_THE_OLD_SPACE:
            new.set_user_attr(key, value)
    new.set_user_attr(GIVEN, given.to_dict())
    new.set_user_attr(SPACE, space.to_dict())
    return new
