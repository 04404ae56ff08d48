"""Widening a range whose edge the best point lies at: a new Optuna study that starts from all points so far."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.errors import ConfigError, SpaceError, check_float, check_int, nearest
from hpsearch.base.outcome import INFEASIBLE
from hpsearch.base.widening import Widening
from hpsearch.base.words import number
from hpsearch.search.optuna_internals import is_inside, storage_of, without_cma_state, without_constraints
from hpsearch.search.parameter import Parameter
from hpsearch.search.prior import PriorPoint
from hpsearch.search.reach import EDGE, Scale, furthest_allowed
from hpsearch.search.space import Space

SPACE = "space"
"""User attribute of an Optuna study: the ranges it searches. Without it the study was not copied to its end."""
FEWEST_BEYOND = 3
"""A widening is taken back once so many points beyond the old end have ended, and none of them trained."""
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Extension:
    """When and how far ranges are widened.

    Attributes:
        edges: whether they are; ``auto``: those of keys that a rule limits, and those that `limits` names.
        after: points asked in the present ranges before the best one is looked at.
        times: how often a side of a range may be widened.
        limits: lowest and highest value by dotted key, None for none; a key that is not named has only the limits
            of its meaning.
    """

    edges: bool | str = AUTO
    after: int = 10
    times: int = 2
    limits: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.edges, bool) and self.edges != AUTO:
            raise ConfigError(f"extend.edges = {self.edges!r}: must be {AUTO}, true or false")
        check_int("extend.after", self.after, 1)
        check_int("extend.times", self.times, 0)
        for key, ends in self.limits.items():
            _check_limits(key, ends)

    def check(self, space: Space) -> None:
        """Refuse limits of a key that is not searched, or that exclude a part of its range."""
        keys = {parameter.key for parameter in space.parameters}
        for key, (low, high) in self.limits.items():
            if key not in keys:
                raise SpaceError(f"extend.limits names {key}, which is not searched{nearest(key, keys)}")
            for parameter in filter(_is_range, space.parameters):
                first, last = ends_of(parameter)
                if parameter.key == key and not (_or(low, -math.inf) <= first and last <= _or(high, math.inf)):
                    raise SpaceError(
                        f"extend.limits.{key} = [{low}, {high}]: the range {parameter.expression} goes beyond them"
                    )

    def widenings(self, space: Space, ranges: "Ranges", best: Mapping[str, Any]) -> list[Widening]:
        """Return what to widen.

        Args:
            space: the present ranges.
            ranges: those that the search began with, and what their keys may hold.
            best: the best point's hyperparameters by dotted key.

        Returns:
            A widening per side at which the best value lies: a decade on a logarithmic scale, else half of the
            range; never past the limits or across zero, and where the key cannot take that value up to what it can
            take, see `furthest_allowed`.
        """
        active = set(space.flat(best))
        first = {parameter.name: parameter for parameter in ranges.first.parameters}
        found = []
        for parameter in space.parameters:
            if self.edges and _is_range(parameter) and parameter.name in active:
                side = _side(parameter, best[parameter.key])
                if side and (self._is_asked(parameter.key) or parameter.key in ranges.ruled(best)):
                    found += self._widening(parameter, first[parameter.name], side, ranges, best)
        return found

    def _is_asked(self, key: str) -> bool:
        return self.edges is True or key in self.limits

    def _widening(
        self, parameter: Parameter, original: Parameter, side: str, ranges: "Ranges", best: Mapping[str, Any]
    ) -> list[Widening]:
        """Return the widening of a side, none where it stays."""
        key, (low, high) = parameter.key, ends_of(parameter)
        wanted = self._end(parameter, original, side)
        place = 0 if side == "low" else 1
        scale = Scale(is_log(parameter), isinstance(parameter.distribution, IntDistribution))
        allowed = lambda value: ranges.allowed({**best, key: value})  # noqa: E731
        end = furthest_allowed(ends_of(parameter)[place], wanted, ends_of(original)[place], scale, allowed)
        new = (end, high) if side == "low" else (low, end)
        return [] if new == (low, high) else [Widening(parameter.name, key, side, (low, high), new, best[key])]

    def _end(self, parameter: Parameter, original: Parameter, side: str) -> float:
        """Return where a side lies after one more widening, or where it is when it may not move."""
        low, high = ends_of(parameter)
        first_low, first_high = ends_of(original)
        log = is_log(parameter)
        step = 10.0 if log else (first_high - first_low) / 2
        lower, upper = self.limits.get(parameter.key, (None, None))
        if side == "low":
            furthest = first_low / step**self.times if log else first_low - self.times * step
            floor = 0.0 if first_low >= 0 and not log else -math.inf
            end = max(low / step if log else low - step, furthest, floor, _or(lower, -math.inf))
            end = min(end, low)
        else:
            furthest = first_high * step**self.times if log else first_high + self.times * step
            end = max(min(high * step if log else high + step, furthest, _or(upper, math.inf)), high)
        if isinstance(parameter.distribution, IntDistribution):
            return max(round(end), 1) if log else round(end)
        return float(f"{end:.12g}")


@dataclass(frozen=True, slots=True)
class Ranges:
    """What is searched, and how far it may grow.

    Attributes:
        space: the present ranges.
        original: those that the search began with, None where they are the present ones.
        extension: whether and how far they are widened.
        allowed: whether a point may have these hyperparameters, by dotted key.
        known: points to try first: Optuna's values by flat name.
        prior: points of another study that the sampler is told of.
        ruled: the keys of which a rule says what they may be, where a point has these hyperparameters.
    """

    space: Space
    original: Space | None = None
    extension: Extension | None = None
    known: Sequence[dict[str, Any]] = ()
    prior: Sequence[PriorPoint] = ()
    allowed: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ruled: Callable[[Mapping[str, Any]], Collection[str]] = lambda _: ()

    @property
    def first(self) -> Space:
        """The ranges that the search began with."""
        return self.original or self.space


def widened(space: Space, widenings: list[Widening]) -> Space:
    """Return a space with other ends: wider ones, or those of a widening that is taken back."""
    table = space.to_dict()
    kinds = {parameter.name: parameter for parameter in space.parameters}
    ends = {widening.name: ends_of(kinds[widening.name]) for widening in widenings}
    for widening in widenings:
        parameter, (low, high) = kinds[widening.name], ends[widening.name]
        low, high = (widening.new[0], high) if widening.side == "low" else (low, widening.new[1])
        ends[widening.name] = low, high
        whole = isinstance(parameter.distribution, IntDistribution)
        text = f"int(interval({low}, {high}))" if whole else f"interval({float(low)!r}, {float(high)!r})"
        table[widening.name] = f"tag(log, {text})" if is_log(parameter) else text
    return Space.parse(table)


def present_study(storage: optuna.storages.BaseStorage, name: str) -> str:
    """Return the name of the newest whole study of a search: each widening of its ranges made a new one."""
    whole = name
    known = {summary.study_name: summary for summary in optuna.get_all_study_summaries(storage)}
    for generation in range(1, len(known) + 1):
        later = known.get(f"{name}+{generation}")
        if later is None:
            break
        if SPACE not in later.user_attrs:
            optuna.delete_study(study_name=later.study_name, storage=storage)
            break
        whole = later.study_name
    return whole


def withdrawn(widening: Widening, space: Space, trials: list[FrozenTrial]) -> Widening | None:
    """Return the way back from a widening that brought only failures.

    Args:
        widening: one since which the other side of the range may have moved.
        space: the present ranges.
        trials: every point of the search.

    Returns:
        The range without the widened side, None while a point beyond trains or too few have ended.
    """
    parameter = next(each for each in space.parameters if each.name == widening.name)
    beyond = [trial for trial in trials if _is_beyond(widening, space, trial)]
    if len(beyond) < FEWEST_BEYOND or not all(map(_failed, beyond)):
        return None
    low, high = ends_of(parameter)
    new = (widening.old[0], high) if widening.side == "low" else (low, widening.old[1])
    return replace(widening, old=(low, high), new=new, failed=len(beyond))


def is_proven(widening: Widening, space: Space, trials: list[FrozenTrial]) -> bool:
    """Return whether a point that only a widening made possible has trained."""
    ended = (trial for trial in trials if trial.state.is_finished() and _is_beyond(widening, space, trial))
    return not all(map(_failed, ended))


def _is_beyond(widening: Widening, space: Space, trial: FrozenTrial) -> bool:
    if widening.key not in space.active(trial.params) or widening.name not in trial.params:
        return False
    value = trial.params[widening.name]
    return bool(value < widening.old[0] if widening.side == "low" else value > widening.old[1])


def _failed(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.FAIL or trial.constraints.get(INFEASIBLE, -1.0) > 0


def copied(
    study: optuna.Study,
    name: str,
    space: Space,
    untold: Collection[int] = (),
    anew: bool = False,
    instead: Mapping[int, FrozenTrial] = MappingProxyType({}),
) -> optuna.Study:
    """Return a new Optuna study with every point of another, under the distributions of another space.

    Args:
        study: its points keep their numbers, states, reports and attributes; those outside of the space, which failed,
            are no evidence any more.
        name: of the search; the new study is called after it.
        space: with wider ranges, or without those that were taken back.
        untold: numbers of points that are to be told again: in the new study they are running.
        anew: whether these begin anew, so that nothing that was reported of them counts.
        instead: by number, points that take the place of others or stand behind them, without a gap.

    Returns:
        The new study, without a sampler of its own.
    """
    new = successor(study, name)
    distributions = space.distributions()
    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    for place, trial in sorted({**trials, **instead}.items()):
        new.add_trial(_under(_running(trial, anew) if place in untold else trial, space, distributions))
    for key, value in study.user_attrs.items():
        new.set_user_attr(key, value)
    new.set_user_attr(SPACE, space.to_dict())
    return new


def _running(trial: FrozenTrial, anew: bool) -> FrozenTrial:
    """Return a trial that was told as it was before."""
    return FrozenTrial(
        number=trial.number,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=trial.datetime_start,
        datetime_complete=None,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={},
        system_attrs=without_constraints(trial.system_attrs),
        intermediate_values={} if anew else trial.intermediate_values,
        trial_id=trial.number,
    )


def successor(study: optuna.Study, name: str) -> optuna.Study:
    """Return a new, empty Optuna study that takes the place of another one of the search of this name."""
    generation = int(study.study_name.rpartition("+")[2]) + 1 if study.study_name != name else 1
    return optuna.create_study(
        storage=storage_of(study), study_name=f"{name}+{generation}", directions=study.directions, pruner=study.pruner
    )


def _under(trial: FrozenTrial, space: Space, distributions: Mapping[str, Any]) -> FrozenTrial:
    """Return a trial under other distributions, as failed where it lies outside of them."""
    active = space.flat(space.active(trial.params))
    outside = {name for name, value in trial.params.items() if not is_inside(distributions[name], value)}
    if outside & active.keys():
        return rewritten(trial, trial.params, trial.distributions, TrialState.FAIL)
    idle = {name: distributions[name].low for name in outside}
    return rewritten(trial, trial.params | idle, distributions)


def rewritten(
    trial: FrozenTrial,
    params: Mapping[str, Any],
    distributions: Mapping[str, Any],
    state: TrialState | None = None,
) -> FrozenTrial:
    """Return a trial with other values, for another Optuna study.

    Args:
        trial: keeps its number, its reports and its attributes, but for those of CMA-ES, which belong to the ranges.
        params: Optuna's values by flat name.
        distributions: what they are drawn from.
        state: None for that of the trial; one that is FAIL has no score.
    """
    state = state or trial.state
    return FrozenTrial(
        number=trial.number,
        state=state,
        value=None,
        values=None if state is TrialState.FAIL else trial.values,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=dict(params),
        distributions={name: distributions[name] for name in params},
        user_attrs=trial.user_attrs,
        system_attrs=without_cma_state(trial.system_attrs),
        intermediate_values=trial.intermediate_values,
        trial_id=trial.number,
    )


def _is_range(parameter: Parameter) -> bool:
    return parameter.values is None


def is_log(parameter: Parameter) -> bool:
    """Return whether a hyperparameter is searched on a logarithmic scale."""
    distribution = parameter.distribution
    return isinstance(distribution, IntDistribution | FloatDistribution) and bool(distribution.log)


def ends_of(parameter: Parameter) -> tuple[float, float]:
    """Return both ends of a range."""
    distribution = parameter.distribution
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low, distribution.high


def _side(parameter: Parameter, value: float) -> str:
    """Return the side of a range at which a value lies, empty for neither."""
    place = _place(parameter, value)
    return "low" if place < EDGE else "high" if place > 1 - EDGE else ""


def _place(parameter: Parameter, value: float) -> float:
    """Return where a value lies between the low end (0) and the high end (1) of its range, on its own scale."""
    low, high = ends_of(parameter)
    return Scale(is_log(parameter)).share(low, high, value) if high > low else 0.5


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _check_limits(key: str, ends: Any) -> None:
    name = f"extend.limits.{key}"
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise ConfigError(f"{name} = {ends!r}: must be [lowest, highest], null for none")
    for end in ends:
        if end is not None:
            check_float(name, end, "(-inf, inf)")
    low, high = ends
    if low is not None and high is not None and low >= high:
        raise ConfigError(f"{name} = [{low}, {high}]: the lowest must be below the highest")


def widening_text(widening: Widening) -> str:
    """Say which range was widened, or taken back, and why."""
    low, high = widening.new
    if widening.failed:
        return (
            f"all {widening.failed} points beyond the old {widening.side} end of {widening.key} failed: "
            f"searched from {number(low)} to {number(high)} again"
        )
    return (
        f"the best {widening.key} = {number(widening.best)} lies at the {widening.side} end of its range: "
        f"now searched from {number(low)} to {number(high)}"
    )
