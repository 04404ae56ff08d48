"""Proposing points: what ours adds to Optuna's samplers."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol, runtime_checkable

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.rng import address
from hpsearch.base.uninterrupted import uninterrupted
from hpsearch.search.known import listed_cells
from hpsearch.search.optuna_internals import StudyWithTrials, gp_promise, independent_sampler, with_values
from hpsearch.search.space import Space

MAX_MEMBERS = 100_000
"""So many members of a sequence are looked at for those that meet the constraints of a space."""


@runtime_checkable
class SpaceAware(Protocol):
    """A sampler that is told the whole space before it is asked."""

    def bind(self, space: Space, known: int = 0, informed: bool = False) -> None:
        """Take what is known before the first point.

        Args:
            space: that all points are of.
            known: how many of the first points are given and not proposed.
            informed: whether points of another study are told.
        """
        ...


class QueueSampler(RandomSampler):
    """Explicit points, queued in the storage before anything is asked.

    A lost point is found again and none runs twice, which Optuna's own grid sampler cannot promise under ask and tell.

    Attributes:
        noun: what one of its points is called.
        whole: what they are of.
    """

    noun = "point"
    whole = "the queue"

    def cells(self, space: Space) -> list[dict[str, Any]]:
        """Return the points: Optuna's values by flat name. A space that has none raises a SpaceError."""
        raise NotImplementedError


class Grid(QueueSampler):
    """Every combination of the space.

    Args:
        points: values per interval: one number for all, or one per key; None when there is no interval.
        seed: unused by the grid itself.
    """

    noun = "cell"
    whole = "the grid"

    def __init__(self, points: int | Mapping[str, int] | None = None, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.points = points

    def cells(self, space: Space) -> list[dict[str, Any]]:
        """Return every combination, with intervals cut; an interval without `points` raises a SpaceError."""
        return space.grid(self.points)


class BruteForce(QueueSampler):
    """Every combination of a space without intervals."""

    noun = "cell"
    whole = "the space"

    def cells(self, space: Space) -> list[dict[str, Any]]:
        """Return every combination; an interval raises a SpaceError."""
        for parameter in space.parameters:
            if parameter.values is None:
                raise SpaceError(
                    f"sampler=brute_force cannot try every value of {parameter.key} = {parameter.expression}; "
                    "write choice(...) or range(...), or use sampler=grid"
                )
        return space.grid()


class Manual(QueueSampler):
    """Points that the user lists.

    Args:
        points: values by dotted key, one for every hyperparameter that is active at the point.
        seed: unused by the list itself.
    """

    whole = "the list"

    def __init__(self, points: Sequence[Mapping[str, Any]] = (), seed: int | None = None) -> None:
        super().__init__(seed=seed)
        if not isinstance(points, list | tuple):
            raise ConfigError(f"sampler.points = {points!r}: must be a list of points, as [{{optimizer.lr: 0.1}}, ...]")
        self.points = points

    def cells(self, space: Space) -> list[dict[str, Any]]:
        """Return the points in the order of the list; one that is not of the space or is listed twice is refused."""
        return listed_cells("sampler.points", self.points, space)


class Sobol(BaseSampler):
    """Evenly spread points: Sobol's sequence, scrambled.

    Point number i of a study is member i of one sequence that the seed alone decides, so a resumed study goes on in it
    and every 2^k points in a row from a multiple of 2^k are balanced. Members that do not meet the constraints of the
    space are left out. Sobol, USSR Computational Mathematics and Mathematical Physics 1967; scrambling after Matousek,
    Journal of Complexity 1998.

    Args:
        seed: of the scrambling.
    """

    base_seeded = True

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._space: Space | None = None
        self._known = 0
        self._informed = False
        self._engine: Any = None
        self._drawn: tuple[int, list[float]] = (-1, [])
        self._allowed: list[int] = []
        self._looked_at = 0

    def bind(self, space: Space, known: int = 0, informed: bool = False) -> None:
        """Take the space; its hyperparameters are the sequence's dimensions, in order."""
        from scipy.stats.qmc import Sobol as Engine

        self._space, self._known, self._informed = space, known, informed
        self._allowed, self._looked_at = [], 0
        with uninterrupted():  # SciPy swallows an interrupt as it reads its numbers, and goes on without them
            self._engine = Engine(len(space.asked), scramble=True, rng=self._seed) if space.asked else None
        self._drawn = (-1, [])

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return the whole space."""
        return self._space.distributions() if self._space else {}

    def sample_relative(
        self,
        study: Study,  # noqa: ARG002
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Return the member of the sequence that has the trial's number among those that were proposed."""
        if self._engine is None:
            return {}
        return self._member(trial.number - self._known)

    def _member(self, number: int) -> dict[str, Any]:
        """Return a member of the sequence, of those alone that meet the constraints of the space."""
        assert self._space is not None
        while self._space.constraints and len(self._allowed) <= number and self._looked_at < MAX_MEMBERS:
            if self._space.allows(self._space.active(self._point(self._looked_at))):
                self._allowed.append(self._looked_at)
            self._looked_at += 1
        return self._point(self._allowed[number] if number < len(self._allowed) else number)

    def _point(self, number: int) -> dict[str, Any]:
        assert self._space is not None
        shares = self._shares(number)
        return {p.name: p.from_unit(share) for p, share in zip(self._space.asked, shares, strict=True)}

    def _shares(self, number: int) -> list[float]:
        if self._drawn[0] != number:
            if number < self._engine.num_generated:
                self._engine.reset()
            if number > self._engine.num_generated:
                self._engine.fast_forward(number - self._engine.num_generated)
            self._drawn = (number, self._engine.random(1)[0].tolist())
        return self._drawn[1]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random value for a hyperparameter outside the space."""
        sampler = RandomSampler(seed=address(self._seed or 0, param_name, trial.number) % 2**32)
        return sampler.sample_independent(study, trial, param_name, param_distribution)


class Gp(GPSampler):
    """Optuna's Gaussian process, which can also rank points by the expected improvement that it last maximized."""

    _acquisition: Any = None
    _searched: dict[str, BaseDistribution]

    def _optimize_acqf(self, acqf: Any, best_params: Any) -> Any:
        """Keep the acquisition function: Optuna lets users override this method."""
        self._acquisition = acqf
        return super()._optimize_acqf(acqf, best_params)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the point with the largest expected improvement; empty while there are too few points."""
        self._acquisition, self._searched = None, search_space
        return super().sample_relative(study, trial, search_space)

    def promise(
        self,
        study: Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
        points: Sequence[Mapping[str, Any]],
    ) -> Sequence[float] | None:
        """Return the logarithm of the expected improvement of each point; None while there is no model."""
        return None if self._acquisition is None else gp_promise(self._acquisition, self._searched, points)


class CmaEs(CmaEsSampler):
    """Optuna's CMA-ES, which knows an infeasible point by its score alone: it is told the worst."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the next member of a generation; empty for what it does not search."""
        told = StudyWithTrials(study, partial(_worst_where_infeasible, minimize=study.direction.name == "MINIMIZE"))
        return super().sample_relative(told, trial, search_space)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass on, without the warning that constraints are not used."""
        independent_sampler(self).after_trial(study, trial, state, values)


def _worst_where_infeasible(trials: list[FrozenTrial], minimize: bool) -> list[FrozenTrial]:
    """Return trials with the worst score of all in place of that of an infeasible one."""
    scores = [trial.value for trial in trials if trial.state is TrialState.COMPLETE and trial.value is not None]
    worst = (max if minimize else min)(scores, default=0.0)
    return [
        with_values(trial, [worst])
        if trial.state is TrialState.COMPLETE and any(value > 0 for value in trial.constraints.values())
        else trial
        for trial in trials
    ]


def seed_after(sampler: BaseSampler, seed: int, points: int) -> int:
    """Return the seed of a sampler for a study that holds so many points, so that a resumed one draws new ones.

    Args:
        sampler: of the class that is seeded; one with ``base_seeded`` finds its place in the study by itself.
        seed: the base seed.
        points: that the study holds.

    Returns:
        A seed below 2^32.
    """
    where = () if getattr(sampler, "base_seeded", False) else (points,)
    return address(seed, "sampler", *where) % 2**32


def check_sampler(sampler: BaseSampler, space: Space, objectives: int = 1, known: bool = False) -> None:
    """Refuse what a sampler cannot search, before anything runs.

    Args:
        sampler: that will be asked.
        space: that will be searched.
        objectives: number of objectives.
        known: whether there are points to try first.

    Raises:
        SpaceError: the space has points that the sampler cannot propose, or lacks those that it names.
        ConfigError: the sampler is for one objective only, or has no points.
    """
    if space.is_open and isinstance(sampler, QueueSampler | CmaEsSampler):
        raise SpaceError(
            f"sampler {type(sampler).__name__}: must know beforehand what is searched, and here the objective says it "
            "as it runs: give space={...} (Optuna's distributions), or use auto, tpe, gp, nsga2, random or sobol"
        )
    if isinstance(sampler, QueueSampler) and not sampler.cells(space) and not known:
        raise ConfigError("sampler.points = []: a list without points; write them here or in sampler.first")
    if isinstance(sampler, CmaEsSampler):
        if objectives > 1:
            raise ConfigError(f"sampler=cmaes searches one objective, not {objectives}; use tpe, gp or nsga2")
        numeric = [p for p in space.asked if not isinstance(p.distribution, CategoricalDistribution)]
        searched = [p.key for p in numeric if not p.distribution.single()]
        if len(searched) < 2:
            found = f"only {searched[0]}" if searched else "none"
            raise SpaceError(
                "sampler=cmaes needs two or more numeric hyperparameters (interval, range or a choice of numbers), "
                f"and here is {found}; use tpe or gp"
            )
