"""Points of another study, which a sampler's model is told beside those of its own."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
import optuna
from optuna.distributions import IntDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.outcome import INFEASIBLE
from hpsearch.search.auto import AutoSampler
from hpsearch.search.optuna_internals import StudyWithTrials, with_values
from hpsearch.search.parameter import Parameter
from hpsearch.search.space import Space

PRIOR = "prior"
"""User attribute of an Optuna study: the points of another one, as they were when the search began."""
MOST = 64
"""So many points of another study are told at most."""


@dataclass(frozen=True, slots=True)
class PriorPoint:
    """A point of another study.

    Attributes:
        cell: its hyperparameters, moved into the ranges of this study: Optuna's values of every branch by flat name.
        shares: per objective, the share of its study's points that it was better than; equal ones count half.
        feasible: whether it trained to its end.
    """

    cell: Mapping[str, Any]
    shares: tuple[float, ...]
    feasible: bool

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "PriorPoint":
        """Return what `fields` says, in which sequences are lists."""
        return cls(fields["cell"], tuple(fields["shares"]), fields["feasible"])

    @property
    def fields(self) -> dict[str, Any]:
        """The point as JSON holds it."""
        return asdict(self)


def check_prior(name: str, sampler: BaseSampler) -> None:
    """Refuse another study's points for a sampler that has no model to tell them.

    Args:
        name: of the other study.
        sampler: that would be told.

    Raises:
        ConfigError: it has no model that takes them.
    """
    if not isinstance(sampler, AutoSampler | TPESampler | GPSampler):
        kind = type(sampler).__name__
        raise ConfigError(f"sampler.prior = {name}: {kind} learns nothing from another study; use auto, tpe or gp")


def prior_points(
    points: Sequence[tuple[Mapping[str, Any], Sequence[float] | None]], maximize: Sequence[bool], space: Space
) -> list[PriorPoint]:
    """Return the points of another study as a model is told them: by their rank among each other.

    Args:
        points: hyperparameters by dotted key and scores, one per objective; None for a point that is infeasible.
        maximize: whether larger is better, per objective.
        space: what is searched now. A number beyond the end of a range becomes that end; a point with other keys, or
            with a choice that is not offered any more, is left out.

    Returns:
        `MOST` of them at most, evenly over the ranks, the best first.
    """
    scores = [values for _, values in points if values is not None]
    signed = np.array([[v if up else -v for v, up in zip(values, maximize, strict=True)] for values in scores])
    ranks = iter(np.column_stack([_shares(column) for column in signed.T]).tolist() if scores else ())
    worst = (0.5 / max(len(scores), 1),) * len(maximize)
    told = []
    for place, (params, values) in enumerate(points):
        shares = worst if values is None else tuple(next(ranks))
        cell = _cell(params, space, place)
        if cell is not None:
            told.append(PriorPoint(cell, shares, values is not None))
    return _thinned(sorted(told, key=lambda point: (not point.feasible, *(-share for share in point.shares))), MOST)


class Prior:
    """Another study's points beside a study's own.

    What both scored is told as normal scores of the ranks within their own study, so that neither the metric's scale
    nor a harder data set matters (Salinas, Shen and Perrone, A quantile-based approach for hyperparameter transfer
    learning, ICML 2020). Each own point that has trained takes the place of one of the others, which stay spread evenly
    over the ranks; once there are as many, they are told no more.

    Args:
        points: of the other study, the best first.
        space: what is searched.
    """

    def __init__(self, points: Sequence[PriorPoint], space: Space) -> None:
        self._points = points
        self._distributions = space.distributions()
        self._used_up = not points

    def beside(self, study: Study) -> Study:
        """Return a study as its sampler is to see it; no other part of the program does."""
        if self._used_up:
            return study
        own = study.get_trials(deepcopy=False)
        evidence = sum(each.state is TrialState.COMPLETE or bool(each.intermediate_values) for each in own)
        told = _thinned(self._points, len(self._points) - evidence)
        self._used_up = not told
        if self._used_up:
            return study
        signs = [1 if direction is StudyDirection.MAXIMIZE else -1 for direction in study.directions]
        limits = next((each.constraints for each in own if each.constraints), {})
        others = [self._trial(point, signs, limits) for point in told]
        return StudyWithTrials(study, _seen(others, signs))

    def _trial(self, point: PriorPoint, signs: Sequence[int], limits: Collection[str]) -> FrozenTrial:
        """Return a point as a trial that is in no study, of which nobody knows whether it is within present limits."""
        return optuna.trial.create_trial(
            values=[sign * NormalDist().inv_cdf(share) for sign, share in zip(signs, point.shares, strict=True)],
            params=dict(point.cell),
            distributions=self._distributions,
            constraints={INFEASIBLE: -1.0 if point.feasible else 1.0}
            | {name: 0.0 for name in limits if name != INFEASIBLE},
        )


def _seen(others: list[FrozenTrial], signs: Sequence[int]) -> Callable[[list[FrozenTrial]], list[FrozenTrial]]:
    def seen(own: list[FrozenTrial]) -> list[FrozenTrial]:
        """Return the others first, and a study's own trials with normal scores in place of values."""
        complete = [each for each in own if each.state is TrialState.COMPLETE]
        if not complete:
            return [*others, *own]
        values = np.array([each.values for each in complete])
        shares = np.column_stack([_shares(sign * column) for sign, column in zip(signs, values.T, strict=True)])
        scores = {
            each.number: [sign * NormalDist().inv_cdf(share) for sign, share in zip(signs, row, strict=True)]
            for each, row in zip(complete, shares.tolist(), strict=True)
        }
        return [*others, *(with_values(each, scores[each.number]) if each.number in scores else each for each in own)]

    return seen


def _shares(values: Any) -> Any:
    """Return the share of all values that each one is above; equal ones count half, so it is never 0 or 1."""
    ordered = np.sort(values)
    below, up_to = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (below + up_to) / (2 * len(values))


def _thinned(points: Sequence[PriorPoint], most: int) -> list[PriorPoint]:
    """Return so many points at most, evenly over the ranks, the first among them."""
    if len(points) <= most:
        return list(points)
    last = len(points) - 1
    return [points[round(place * last / max(most - 1, 1))] for place in range(max(most, 0))]


def _cell(params: Mapping[str, Any], space: Space, place: int) -> dict[str, Any] | None:
    """Return Optuna's values of every branch for hyperparameters of another space, None where they are none of this."""
    by_key: dict[str, list[Parameter]] = {}
    for parameter in space.parameters:
        by_key.setdefault(parameter.key, []).append(parameter)
    moved = [[_moved(parameter, value) for parameter in by_key.get(key, ())] for key, value in params.items()]
    for values in product(*moved):
        try:
            active = space.cell(dict(zip(params, values, strict=True)))
        except SpaceError:
            continue
        return {**space.draw(random.Random(place)), **active}
    return None


def _moved(parameter: Parameter, value: Any) -> Any:
    """Return the number of a range that is nearest to a value, whole where they are; anything else as it is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if parameter.values is not None or not is_number:
        return value
    low, high = parameter.ends()
    nearest = min(max(value, low), high)
    return round(nearest) if isinstance(parameter.distribution, IntDistribution) else float(nearest)
