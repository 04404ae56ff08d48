"""Stopping points early by several objectives: Optuna's pruners see one, so their definitions stand here by fronts."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from optuna.pruners import BasePruner, HyperbandPruner, PercentilePruner, SuccessiveHalvingPruner

from hpsearch.base.fronts import front_numbers
from hpsearch.base.types import TrialState
from hpsearch.search.candidates import Candidate, Candidates, peers
from hpsearch.search.optuna_internals import pruner_options

Stops: TypeAlias = Callable[[Candidate, Candidates], bool]


def stops_by_fronts(pruner: BasePruner) -> Stops | None:
    """Return the rule of one of Optuna's pruners by non-dominated fronts, None where it has none.

    - ``median`` and ``percentile``: a point stops whose front, sorted with the complete points by their scores at its
      epoch, is later than that percentile of theirs.
    - ``successive_halving``: at its rungs a point stops where as many points stand in earlier fronts as go on: the best
      1/reduction_factor of those that came there, at least one.

    Args:
        pruner: any.
    """
    if isinstance(pruner, PercentilePruner):
        return _percentile(pruner_options(pruner))
    if isinstance(pruner, SuccessiveHalvingPruner) and not isinstance(pruner, HyperbandPruner):
        return _halving(pruner_options(pruner))
    return None


def _percentile(options: dict[str, float]) -> Stops:
    def stops(candidate: Candidate, candidates: Candidates) -> bool:
        epoch = candidate.epoch
        complete = [each for each in candidates.values() if each.state is TrialState.COMPLETE]
        others = [each.scores[epoch] for each in complete if epoch in each.scores]
        if len(complete) < options["n_startup_trials"] or len(others) < options["n_min_trials"]:
            return False
        if epoch < options["n_warmup_steps"] or (epoch - options["n_warmup_steps"]) % options["interval_steps"]:
            return False
        own, *fronts = front_numbers([candidate.scores[epoch], *others])
        return own > float(np.percentile(fronts, options["percentile"]))

    return stops


def _halving(options: dict[str, float]) -> Stops:
    first, factor = int(options["min_resource"] or 1), int(options["reduction_factor"])
    first *= factor ** int(options["min_early_stopping_rate"])

    def stops(candidate: Candidate, candidates: Candidates) -> bool:
        before = max((epoch for epoch in candidate.scores if epoch < candidate.epoch), default=0)
        rung = first
        while rung <= candidate.epoch:
            if rung > before:
                came = [each for each in peers(candidate, candidates) if each.epoch >= rung]
                fronts = front_numbers([each.scores[min(e for e in each.scores if e >= rung)] for each in came])
                own = next(front for each, front in zip(came, fronts, strict=True) if each is candidate)
                if sum(front < own for front in fronts) >= max(1, len(came) // factor):
                    return True
            rung *= factor
        return False

    return stops
