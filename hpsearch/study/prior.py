"""The points of an earlier study, for the sampler of another one."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.outcome import NOT_COMPARED, Failures, point_outcome
from hpsearch.base.types import Objective, TrialState
from hpsearch.reports.kit.points import objective_of
from hpsearch.search.prior import PriorPoint, prior_points
from hpsearch.search.space import Space
from hpsearch.study.folder import study_folder
from hpsearch.tracking.events import TrialRecord, read_study, read_trials


def load_prior(name: str, space: Space, objective: Objective) -> list[PriorPoint]:
    """Return the points of an earlier study as the sampler of another one is told them.

    Args:
        name: of the earlier study; it may still run.
        space: that is searched now.
        objective: of this search; the earlier study may have had others, as many.

    Returns:
        The points whose trials have all ended, see `hpsearch.search.prior.prior_points`; at least one.

    Raises:
        ConfigError: none of its points can be told. A study that does not exist raises a StorageError.
    """
    folder = study_folder(name)
    theirs = objective_of(read_study(folder))
    if len(theirs.each) != len(objective.each):
        raise ConfigError(
            f"sampler.prior = {name}: its objectives are {len(theirs.each)}, and those of this study "
            f"{len(objective.each)}"
        )
    points = _points(read_trials(folder), theirs)
    told = prior_points(points, [each.maximize for each in theirs.each], space)
    if not told:
        searched = ", ".join(dict.fromkeys(parameter.key for parameter in space.parameters))
        raise ConfigError(
            f"sampler.prior = {name}: none of its {len(points)} points has values for {searched}, and no other"
        )
    return told


def _points(
    records: Sequence[TrialRecord], objective: Objective
) -> list[tuple[Mapping[str, Any], Sequence[float] | None]]:
    """Return hyperparameters and scores of the points that trained to their end, within the limits of then or not.

    None stands for the scores of those that samplers are to stay away from: infeasible ones, and those that raised.
    """
    points: list[tuple[Mapping[str, Any], Sequence[float] | None]] = []
    for _, group in groupby(records, key=lambda record: record.id.point):
        trials = list(group)
        if all(trial.state.finished for trial in trials):
            scores = [_scores(objective, trial) for trial in trials]
            raised = any(trial.state is TrialState.FAILED and Failures.of(trial.facts).failed_at for trial in trials)
            outcome = point_outcome([trial.state for trial in trials], scores, penalties=(), raised=raised)
            if outcome.values is not None:
                points.append((trials[0].params, outcome.values or None))
    return points


def _scores(objective: Objective, trial: TrialRecord) -> tuple[float, ...]:
    """Return what a trial scored, one number per objective: nan unless it trained to its end."""
    if trial.state is not TrialState.COMPLETE and not trial.reason.startswith(NOT_COMPARED):
        return (math.nan,) * len(objective.each)
    return tuple(each.value(trial.curve(each.metric), trial.facts, trial.end(each.metric)) for each in objective.each)
